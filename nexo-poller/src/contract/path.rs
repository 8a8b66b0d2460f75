use serde_json::Value;

/// What stands at a dotted path of `value`; numbers are places of a list, and below `null` is `null`: an issue without an
/// assignee has no assignee's name either. An empty path is the value itself.
pub(crate) fn at_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        Value::Null => Some(value),
        _ => None,
    })
}
