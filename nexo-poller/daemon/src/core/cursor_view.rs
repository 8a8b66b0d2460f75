use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A cursor as an operator reads and writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CursorView {
    /// How long it is.
    pub(crate) bytes: usize,
    /// The bytes themselves, URL-safe base64 without padding, as on the wire.
    pub(crate) base64: String,
    /// The same as text, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The same as JSON, where it is JSON: most pollers' are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Value>,
}

impl CursorView {
    pub(crate) fn of(cursor: &[u8]) -> Self {
        Self {
            bytes: cursor.len(),
            base64: URL_SAFE_NO_PAD.encode(cursor),
            text: std::str::from_utf8(cursor).ok().map(str::to_owned),
            json: serde_json::from_slice(cursor).ok(),
        }
    }

    /// On one line, for a terminal.
    pub(crate) fn line(&self) -> String {
        match (&self.json, &self.text) {
            (Some(json), _) => json.to_string(),
            (None, Some(text)) => format!("{text:?}"),
            (None, None) => format!("{} bytes, base64 {}", self.bytes, self.base64),
        }
    }
}

/// What a cursor is to be: one of these.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CursorOrder {
    /// Its bytes as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// Its bytes as base64, in any alphabet and padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    /// None at all: the next tick starts from nothing.
    #[serde(default)]
    pub(crate) clear: bool,
    /// The one before.
    #[serde(default)]
    pub(crate) restore: bool,
}

/// What is to be done to a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CursorChange {
    Set(Vec<u8>),
    Clear,
    Restore,
}

impl CursorOrder {
    /// # Errors
    /// A sentence, without the cursor.
    pub(crate) fn read(self) -> Result<CursorChange, &'static str> {
        match (self.text, self.base64, self.clear, self.restore) {
            (Some(text), None, false, false) => Ok(CursorChange::Set(text.into_bytes())),
            (None, Some(text), false, false) => {
                // Both alphabets, padding or not: whatever an operator has at hand.
                let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
                URL_SAFE_NO_PAD.decode(text).map(CursorChange::Set).map_err(|_| "`base64` is not base64")
            }
            (None, None, true, false) => Ok(CursorChange::Clear),
            (None, None, false, true) => Ok(CursorChange::Restore),
            _ => {
                Err("a cursor is set by one of {\"text\": …}, {\"base64\": …}, {\"clear\": true}, {\"restore\": true}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cursor_is_shown_in_every_form_that_it_has_and_set_from_each() {
        let view = CursorView::of(br#"{"n":1}"#);
        assert_eq!((view.bytes, view.line()), (7, r#"{"n":1}"#.to_owned()));
        assert_eq!(CursorView::of(b"page 2").line(), "\"page 2\"");
        assert_eq!(CursorView::of(&[0xff, 0xfb]).line(), "2 bytes, base64 __s");
        for order in [json!({"text": "\u{e9}"}), json!({"base64": "w6k"}), json!({"base64": "w6k="})] {
            let order: CursorOrder = serde_json::from_value(order).unwrap();
            assert_eq!(order.read(), Ok(CursorChange::Set("é".as_bytes().to_vec())));
        }
        let order = CursorOrder { base64: Some("//s=".to_owned()), ..CursorOrder::default() };
        assert_eq!(order.read(), Ok(CursorChange::Set(vec![0xff, 0xfb])));
    }

    #[test]
    fn an_order_that_says_nothing_or_two_things_is_refused() {
        for order in [json!({}), json!({"text": "a", "clear": true}), json!({"base64": "*"})] {
            assert!(serde_json::from_value::<CursorOrder>(order).unwrap().read().is_err());
        }
    }
}
