use std::fmt;

use serde::Serialize;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The check's name, for programs.
    pub(super) check: &'static str,
    pub(super) weight: Weight,
    /// What is so.
    pub(super) what: String,
    /// What to do about it; empty where nothing is.
    pub(super) fix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weight {
    Ok,
    /// Worth a look.
    Warn,
    /// Not to be published like this.
    Fail,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, weight: Weight::Ok, what: what.into(), fix: String::new() }
    }

    pub(super) fn warn(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, weight: Weight::Warn, what: what.into(), fix: fix.into() }
    }

    pub(super) fn fail(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, weight: Weight::Fail, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.weight {
            Weight::Ok => "ok  ",
            Weight::Warn => "warn",
            Weight::Fail => "FAIL",
        };
        write!(f, "  {word}  {}", self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n        fix: {}", self.fix) }
    }
}
