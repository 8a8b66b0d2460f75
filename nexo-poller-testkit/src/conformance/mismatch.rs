use std::fmt::Display;

use nexo_poller::contract::{PollerError, TickAck};

use crate::Published;

/// What a check found: nothing, or what was expected beside what came.
pub(super) type Found = Result<(), Mismatch>;

/// What a failed check says.
#[derive(Debug)]
pub(super) struct Mismatch {
    expected: String,
    actual: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Display, actual: impl Display) -> Self {
        Self { expected: expected.to_string(), actual: actual.to_string() }
    }
}

/// ```text
/// conformance: `a_repeated_tick_publishes_nothing_new` of kind `jira`
/// expected: …
///   actual: …
/// ```
pub(super) fn report(check: &str, kind: &str, mismatch: &Mismatch) -> String {
    let Mismatch { expected, actual } = mismatch;
    let actual = actual.replace('\n', "\n          ");
    format!("\nconformance: `{check}` of kind `{kind}`\nexpected: {expected}\n  actual: {actual}\n")
}

pub(super) fn outcome(outcome: &Result<TickAck, PollerError>) -> String {
    match outcome {
        Ok(_) => "success".to_owned(),
        Err(error) => format!("a {} error: {error}", error.class().as_str()),
    }
}

pub(super) fn list(messages: &[Published]) -> String {
    match messages {
        [] => "nothing".to_owned(),
        _ => messages.iter().map(|message| format!("{} {message}", message.id)).collect::<Vec<_>>().join("\n"),
    }
}
