use nexo_poller::contract::{AnyField, MessageTemplate};
use serde_json::json;

/// A message template of a config: what is accepted names fields that can be filled.
pub(crate) fn template(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(template) = text.parse::<MessageTemplate<AnyField>>() else { return };
    let filled = template.fill(|_| Some("x".into()), &[]).map(|filled| filled.chars().count());
    let fields = template.fields().map(|name| name.chars().count()).sum::<usize>();
    assert!(template.fields().all(|name| !name.is_empty()), "{text:?}");
    assert!(filled.is_ok_and(|filled| filled + fields <= text.chars().count() + template.fields().count()), "{text:?}");
    let _ = template.fill_from(&json!({"key": "N-1", "a": {"b": [1, null, {"c": "d"}]}}));
}
