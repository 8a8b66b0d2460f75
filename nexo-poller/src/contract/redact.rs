use std::fmt;
use std::sync::Arc;

use super::PollerError;

/// Words in the name of a field, a header or a variable that make its value a secret.
#[cfg(feature = "unstable")]
pub const SECRET_WORDS: [&str; 10] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
];

/// Takes the secrets that a daemon knows out of a text before it is logged, kept or shown. By default it knows none.
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

    /// `error` without secrets; its source, which may hold them as well, is dropped.
    #[must_use]
    pub fn error(&self, error: PollerError) -> PollerError {
        if self.0.is_none() {
            return error;
        }
        PollerError::from_code(error.code(), self.text(&error.to_string()), error.retry_after())
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redact")
    }
}
