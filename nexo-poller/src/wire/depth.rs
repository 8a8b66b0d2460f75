use serde_json::Value;

/// How deep a payload or the parameters of a call may nest. Readers stop at 128 levels, and what carries a payload takes some of
/// them.
pub const MAX_DEPTH: usize = 100;

/// Whether `value` nests deeper than [`MAX_DEPTH`].
pub(crate) fn is_too_deep(value: &Value) -> bool {
    exceeds(value, MAX_DEPTH)
}

fn exceeds(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| exceeds(item, left - 1)),
        Value::Object(fields) => left == 0 || fields.values().any(|field| exceeds(field, left - 1)),
        _ => false,
    }
}

/// What is said of it.
pub(crate) fn too_deep() -> String {
    format!("it nests deeper than {MAX_DEPTH} levels")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_may_nest_so_deep_and_no_deeper() {
        for (levels, too_deep) in [(MAX_DEPTH, false), (MAX_DEPTH + 1, true)] {
            let nested = (0..levels)
                .fold(json!(1), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) });
            assert_eq!(is_too_deep(&nested), too_deep);
        }
        assert!(!is_too_deep(&json!("[[")));
    }
}
