use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::PollerError;
use super::cursor_texts::CursorTexts;
use super::one_line::{cut, one_line};

/// As much of a failure's words is looked through; far more than is kept.
const LONGEST_ERROR: usize = 64 * 1024;

/// Takes the secrets that a daemon knows out of a text before it is logged, kept or shown. By default it knows none.
///
/// A text that comes from outside (a plugin, a source, an operator's file) goes through [`line`](Self::line) or
/// [`failure`](Self::failure), and through nothing else.
#[derive(Clone, Default)]
pub struct Redact(Option<Arc<Rule>>);

type Rule = dyn Fn(&str) -> String + Send + Sync;

impl Redact {
    /// Applies `rule` to every text.
    pub fn new(rule: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(rule)))
    }

    /// `text` without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.0.as_ref().map_or_else(|| text.to_owned(), |rule| rule(text))
    }

    /// `text` without secrets, on one line: nothing in it looks like the end of a line, moves a terminal's cursor or turns what
    /// is read around.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        // First the secrets: one of several lines is known as it is.
        one_line(&self.text(text)).into_owned()
    }

    /// `value` without secrets, in its texts and in the names of its fields.
    #[must_use]
    pub fn json(&self, value: &Value) -> Value {
        match value {
            _ if self.0.is_none() => value.clone(),
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (self.text(name), self.json(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// `error` without secrets; its source, which may hold them as well, is dropped.
    #[must_use]
    pub fn error(&self, error: PollerError) -> PollerError {
        if self.0.is_none() {
            return error;
        }
        PollerError::from_code(error.code(), self.text(&error.to_string()), error.retry_after())
    }

    /// `error` of a tick that began at `cursor`, on one line, without secrets and without the cursor; its source is dropped.
    #[must_use]
    pub fn failure(&self, error: &PollerError, cursor: Option<&[u8]>) -> PollerError {
        let text = CursorTexts::of(cursor).hide(self.text(cut(&error.to_string(), LONGEST_ERROR)));
        PollerError::from_code(error.code(), one_line(&text), error.retry_after())
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redact")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::contract::ErrorClass;

    fn redact() -> Redact {
        Redact::new(|text| text.replace("hunter2\nhunter3", "***").replace("hunter2", "***"))
    }

    #[test]
    fn what_comes_from_outside_is_one_line_without_secrets_in_texts_and_names() {
        assert_eq!(redact().line("a hunter2\nhunter3\nb\u{1b}[2J"), "a ***\\nb\\u{1b}[2J");
        let labels = json!({"hunter2": [{"a": "x hunter2"}, 1, null, true]});
        assert_eq!(redact().json(&labels), json!({"***": [{"a": "x ***"}, 1, null, true]}));
        assert_eq!(Redact::default().json(&labels), labels);
    }

    #[test]
    fn a_failure_keeps_class_and_patience_and_loses_secrets_lines_and_cursor() {
        let error = PollerError::rate_limited("hunter2\nat page-1234567890: slow", Duration::from_secs(7));
        let failure = redact().failure(&error, Some(br#"{"page":"page-1234567890"}"#));
        assert_eq!(failure.to_string(), "***\\nat (cursor hidden): slow");
        assert_eq!((failure.class(), failure.retry_after()), (ErrorClass::Transient, Some(Duration::from_secs(7))));
        let long = PollerError::permanent("é".repeat(LONGEST_ERROR));
        assert!(Redact::default().failure(&long, None).to_string().len() <= LONGEST_ERROR);
    }
}
