use crate::contract::CursorTooLarge;
use crate::store::{StoreError, UnixMs};

/// Why the runner did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// No job has this id.
    #[error("there is no job `{id}`")]
    UnknownJob {
        /// As asked for.
        id: String,
    },
    /// A job's definition cannot be used.
    #[error("job `{id}`: {reason}")]
    InvalidJob {
        /// The job.
        id: String,
        /// Which field, what was expected.
        reason: String,
    },
    /// The job is running now.
    #[error("job `{id}` is running since {since}; a job never runs twice at once")]
    Running {
        /// The job.
        id: String,
        /// Since when.
        since: UnixMs,
    },
    /// Another daemon runs the job now.
    #[error("job `{id}` is held by `{owner}` until {until}")]
    Held {
        /// The job.
        id: String,
        /// Who.
        owner: String,
        /// When its lease ends, unless it is renewed.
        until: UnixMs,
    },
    /// Nothing is registered under the job's kind.
    #[error("job `{id}` cannot run: no poller of kind `{kind}` is registered (is its plugin running?)")]
    KindMissing {
        /// The job.
        id: String,
        /// The kind.
        kind: String,
    },
    /// All ticks that may run at once do.
    #[error("job `{id}` cannot run now: {reason}; ask again in a moment")]
    Busy {
        /// The job.
        id: String,
        /// Which limit.
        reason: String,
    },
    /// The config was refused by the poller.
    #[error("job `{id}` is quarantined: {reason}")]
    Quarantined {
        /// The job.
        id: String,
        /// What the poller said.
        reason: String,
    },
    /// A run that somebody asked for ended without a report, so nobody can tell whether its tick ran.
    #[error("the run of job `{id}` ended without a report; look at the job's state before you run it again")]
    RunLost {
        /// The job.
        id: String,
    },
    /// A cursor that was to be set is over the limit.
    #[error(transparent)]
    CursorTooLarge(#[from] CursorTooLarge),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runner has shut down.
    #[error("the runner has shut down")]
    ShutDown,
}
