use serde_json::Value;

/// Turns a decoding error into one sentence that names the field and what was expected, without repeating any value
/// of `root`: a config or cursor may hold secrets, and error messages end up in logs.
///
/// The result reads `` `deliver.channel`: invalid type: integer, expected a string ``.
#[must_use]
pub(crate) fn describe_decode_error(error: &serde_path_to_error::Error<serde_json::Error>, root: &Value) -> String {
    let path = error.path().to_string();
    let message = redact(&without_position(&error.inner().to_string()), root);
    if path == "." { message } else { format!("`{path}`: {message}") }
}

/// `serde_json` appends " at line L column C", which means nothing to someone who wrote YAML.
fn without_position(message: &str) -> String {
    let cut = message.rfind(" at line ").filter(|&at| message[at..].contains(" column "));
    message[..cut.unwrap_or(message.len())].to_owned()
}

fn redact(message: &str, root: &Value) -> String {
    let mut text = without_unexpected_value(message);
    let mut secrets = Vec::new();
    collect_strings(root, &mut secrets);
    // The longest first: a value that contains another must go as a whole.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        let escaped = secret.escape_debug().to_string();
        // Short values ("a", "on") also occur inside ordinary words: they go only where they stand quoted.
        for form in [secret, &escaped] {
            for (open, close) in [("\"", "\""), ("`", "`"), ("'", "'")] {
                text = text.replace(&format!("{open}{form}{close}"), "(value hidden)");
            }
            if form.len() >= 6 {
                text = text.replace(form, "(value hidden)");
            }
        }
    }
    text
}

/// Serde's own phrases quote the offending value: "invalid type: string "x", expected u32" keeps the noun only.
fn without_unexpected_value(message: &str) -> String {
    for phrase in ["invalid type: ", "invalid value: "] {
        let Some(rest) = message.strip_prefix(phrase) else { continue };
        let Some(end) = rest.rfind(", expected ") else { continue };
        let noun = rest[..end].split(['"', '`']).next().unwrap_or_default().trim_end();
        return format!("{phrase}{noun}{}", &rest[end..]);
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some(end) = rest.rfind("`, expected ").or_else(|| rest.rfind("`, there are no variants"))
        && let Some(first) = rest.find("`, ").filter(|&first| first <= end)
    {
        return format!("unknown variant{}", &rest[first + 1..]);
    }
    message.to_owned()
}

/// Every string value; keys are the author's words, not secrets, and are needed in the message.
fn collect_strings<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if !text.is_empty() => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, into)),
        Value::Object(fields) => fields.values().for_each(|item| collect_strings(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoded")]
    struct Outer {
        inner: Inner,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoded")]
    struct Inner {
        port: u16,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Slow,
    }

    fn describe(value: &Value) -> String {
        let error = serde_path_to_error::deserialize::<_, Outer>(value).expect_err("must not decode");
        describe_decode_error(&error, value)
    }

    #[test]
    fn a_message_names_the_path_and_what_was_expected_but_no_value() {
        let table = [
            (json!({"inner": {"port": "hunter2"}}), "`inner.port`: invalid type: string, expected u16"),
            (json!({"inner": {"port": 70_000}}), "`inner.port`: invalid value: integer, expected u16"),
            (json!({"inner": {}}), "`inner`: missing field `port`"),
            (
                json!({"inner": {"port": 1}, "extra": "hunter2"}),
                "`extra`: unknown field `extra`, expected `inner` or `mode`",
            ),
            (json!({"inner": {"port": 1}, "mode": "hunter2"}), "`mode`: unknown variant, expected `fast` or `slow`"),
            (json!({}), "missing field `inner`"),
        ];
        for (value, expected) in table {
            assert_eq!(describe(&value), expected, "for {value}");
        }
    }
}
