use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// What stands in a cursor's place.
const HIDDEN: &str = "(cursor hidden)";
/// A whole cursor that is shorter says nothing, and is found in ordinary words.
const SHORTEST: usize = 6;
/// So is a text within a cursor that is shorter than this.
const SHORTEST_PART: usize = 12;
/// As many texts of a cursor are looked for.
const MOST_PARTS: usize = 2_000;

/// A cursor in each shape in which a poller may say it: as the bytes that it is, as it travels, and each long text in it where it is
/// JSON. A cursor may hold what a person has written, and what a poller says is read by more people than job state is.
#[derive(Default)]
pub(crate) struct CursorTexts(Vec<String>);

impl CursorTexts {
    pub(crate) fn of(cursor: Option<&[u8]>) -> Self {
        let Some(cursor) = cursor.filter(|cursor| cursor.len() >= SHORTEST) else { return Self::default() };
        let mut shapes = vec![URL_SAFE_NO_PAD.encode(cursor), STANDARD_NO_PAD.encode(cursor)];
        if let Ok(plain) = std::str::from_utf8(cursor) {
            shapes.push(plain.to_owned());
            let quoted = Value::from(plain).to_string();
            shapes.push(quoted[1..quoted.len() - 1].to_owned());
            if let Ok(value) = serde_json::from_str(plain) {
                collect(&value, &mut shapes);
            }
        }
        // One that holds another goes first.
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.len()));
        Self(shapes)
    }

    /// `text` without the cursor.
    pub(crate) fn hide(&self, mut text: String) -> String {
        for shape in &self.0 {
            if text.contains(shape.as_str()) {
                text = text.replace(shape.as_str(), HIDDEN);
            }
        }
        text
    }

    /// `value` without the cursor, in its texts and in the names of its fields.
    #[cfg(feature = "router")]
    pub(crate) fn hide_in(&self, value: Value) -> Value {
        match value {
            value if self.0.is_empty() => value,
            Value::String(text) => self.hide(text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.hide(name), self.hide_in(value))).collect()
            }
            other => other,
        }
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        _ if into.len() > MOST_PARTS => {}
        Value::String(text) if text.len() >= SHORTEST_PART => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_hidden_as_a_whole_in_base64_and_in_its_parts() {
        let cursor = br#"{"token":"abcdefghijkl","n":123456,"short":"word"}"#.as_slice();
        let plain = std::str::from_utf8(cursor).unwrap();
        for shape in [
            plain.to_owned(),
            serde_json::to_string(plain).unwrap(),
            URL_SAFE_NO_PAD.encode(cursor),
            "abcdefghijkl".to_owned(),
        ] {
            let text = CursorTexts::of(Some(cursor)).hide(format!("at {shape}: a word, 123456"));
            assert_eq!(text.trim_matches('"').replace('"', ""), "at (cursor hidden): a word, 123456");
        }
        let bytes = CursorTexts::of(Some(&[0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa]));
        assert_eq!(bytes.hide("bytes //79/Pv6".to_owned()), "bytes (cursor hidden)");
        for (text, cursor) in [("42 left", Some(b"42".as_slice())), ("42 left", None)] {
            assert_eq!(CursorTexts::of(cursor).hide(text.to_owned()), text);
        }
    }
}
