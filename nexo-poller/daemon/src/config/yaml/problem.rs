use std::borrow::Cow;
use std::fmt;

use crate::config::yaml::{At, Key};

/// Where in a file something is wrong. Knows the key that stands there, never the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    at: At,
    key: Cow<'static, str>,
    key_at: At,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) file: String,
    /// Where; `None` speaks of the file as a whole.
    pub(crate) place: Option<Place>,
    /// The job that is left out because of it; `None` where the whole file is unusable.
    pub(crate) job: Option<String>,
    /// What is wrong, what was expected, what to do.
    pub(crate) message: String,
}

impl Place {
    /// The line, counted from 1.
    #[must_use]
    pub(crate) fn line(&self) -> u32 {
        self.at.line
    }

    /// The column, counted from 1 in characters.
    #[must_use]
    pub(crate) fn column(&self) -> u32 {
        self.at.column
    }

    /// A key itself.
    pub(crate) fn key(key: &Key) -> Self {
        Self { at: key.at, key: printable(&key.name).into(), key_at: key.at }
    }

    /// The value behind a key.
    pub(crate) fn value(key: &Key, at: At) -> Self {
        Self { at, key: printable(&key.name).into(), key_at: key.at }
    }

    /// A value without a key: an item of a list, or the whole document.
    pub(crate) fn item(at: At) -> Self {
        Self { at, key: Cow::Borrowed(""), key_at: At::default() }
    }

    /// The line as far as it may be shown, and a caret under the place: `…` stands for every value.
    fn sketch(&self) -> Option<String> {
        let number = self.at.line.to_string();
        let margin = " ".repeat(number.len());
        let pad = |column: u32| " ".repeat(column.saturating_sub(1) as usize);
        let shown = self.key_at.line == self.at.line && !self.key.is_empty();
        let (line, width) = if shown && self.key_at == self.at {
            (format!("{}{}: …", pad(self.at.column), self.key), self.key.chars().count())
        } else if shown {
            let lead = format!("{}{}:", pad(self.key_at.column), self.key);
            let gap = (self.at.column as usize).saturating_sub(1 + lead.chars().count()).max(1);
            (format!("{lead}{}…", " ".repeat(gap)), 1)
        } else {
            (format!("{}…", pad(self.at.column)), 1)
        };
        // A file may be one very long line; a caret far to the right helps nobody.
        (self.at.column < 100)
            .then(|| format!("\n  {number} | {line}\n  {margin} | {}{}", pad(self.at.column), "^".repeat(width)))
    }
}

/// `text` without what would move a terminal's cursor, or look like a line of its own in a log.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.at.line, place.at.column)?;
        }
        f.write_str(": ")?;
        if let Some(job) = &self.job {
            write!(f, "job `{job}`: ")?;
        }
        f.write_str(&self.message)?;
        match self.place.as_ref().and_then(Place::sketch) {
            Some(sketch) => f.write_str(&sketch),
            None => Ok(()),
        }
    }
}
