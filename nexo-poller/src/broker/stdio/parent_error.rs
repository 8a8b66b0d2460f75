use std::time::Duration;

use crate::manifest::ManifestError;

/// Why a child process did not become a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StdioError {
    /// Nothing came.
    #[error(
        "it did not answer `initialize` within {} s; is it a nexo plugin, and does it wait for something?{}",
        after.as_secs_f64(), noise(*skipped)
    )]
    NoAnswer {
        /// How long it was waited.
        after: Duration,
        /// Lines that came instead.
        skipped: u64,
    },
    /// Stdout ended before the answer.
    #[error("it closed its stdout before it answered `initialize`{}", noise(*skipped))]
    Closed {
        /// Lines that came instead.
        skipped: u64,
    },
    /// The answer has another id.
    #[error("it answered `initialize` under id {found} instead of {expected}: it does not speak this protocol")]
    WrongId {
        /// The id that was sent.
        expected: String,
        /// The id that came.
        found: String,
    },
    /// The answer is an error.
    #[error("it refused `initialize`: {message}")]
    Refused {
        /// What it said.
        message: String,
    },
    /// The answer holds no manifest.
    #[error("its answer to `initialize` is malformed: {reason}")]
    Malformed {
        /// What is missing.
        reason: String,
    },
    /// The manifest breaks a rule.
    #[error("its manifest is refused: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest is of another plugin than the one that was started.
    #[error("it says it is plugin `{found}`, but its manifest file says `{expected}`")]
    OtherPlugin {
        /// The id that the daemon expected.
        expected: String,
        /// The id that it gave.
        found: String,
    },
    /// It wants topics that the manifest which it was found by does not give it.
    #[error(
        "its binary wants to {list} `{topic}`, but its manifest file allows [{allowed}]; if that is meant, write the file \
         again from --print-manifest"
    )]
    AsksForMore {
        /// `publish` or `subscribe`.
        list: &'static str,
        /// The pattern that it wants.
        topic: String,
        /// What it was found with.
        allowed: String,
    },
    /// Its pipes cannot be used.
    #[error("its pipes cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// The broker refused a subscription.
    #[error("the broker refused a subscription of it: {0}")]
    Broker(#[from] crate::broker::BrokerError),
}

fn noise(skipped: u64) -> String {
    if skipped == 0 {
        String::new()
    } else {
        format!(" ({skipped} lines of its stdout were no protocol: a plugin logs to stderr)")
    }
}

/// Why the bridge to a running plugin ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The plugin closed its stdout, or is gone.
    #[error("it closed its stdout")]
    OutputClosed,
    /// Its stdin cannot be written.
    #[error("its stdin is closed: {0}")]
    InputClosed(String),
    /// The daemon ended it.
    #[error("it was shut down")]
    Shutdown,
}
