use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;

use super::error::ScheduleError;

/// Reads a duration as a person writes it. Bounds are the caller's.
pub(super) fn parse(text: &str) -> Result<Duration, ScheduleError> {
    let refuse = |reason: String| ScheduleError::Duration { text: text.to_owned(), reason };
    let signed: SignedDuration = text.trim().parse().map_err(|error: jiff::Error| refuse(error.to_string()))?;
    Duration::try_from(signed).map_err(|_| refuse("it is negative".to_owned()))
}

/// Writes a duration so that [`parse`] reads it back.
pub(super) fn show(ms: i64) -> String {
    let mut text = String::new();
    let mut rest = ms;
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{space}{count}{unit}");
        }
    }
    text
}
