use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::policy::Change;
use crate::store::{JobState, RunOutcome, UnixMs};

/// Whoever wants to know what a runner does while it does it: an audit log, a simulation.
///
/// It is called by the engine itself, between two of its steps, so it returns at once and calls no runner.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&RunnerEvent<'_>) + Send + Sync>);

/// Something that happened to a job, or to all of them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RunnerEvent<'a> {
    /// When, by the runner's wall clock.
    pub at: UnixMs,
    /// The job; `None` where it concerns the runner.
    pub job: Option<&'a str>,
    /// What.
    pub what: RunnerEventKind<'a>,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum RunnerEventKind<'a> {
    /// A tick starts: its lease is durable.
    Started {
        /// The run's key within the job.
        run_key: UnixMs,
        /// When it was to start; its own start where somebody asked for it.
        due: UnixMs,
        /// 0 for the first attempt at this run.
        attempt: u32,
        /// An operator asked for it.
        manual: bool,
    },
    /// A tick's outcome is durable.
    Ended {
        /// The run's key within the job.
        run_key: UnixMs,
        /// How it ended.
        outcome: RunOutcome,
        /// The message, where it failed.
        error: Option<&'a str>,
        /// When the tick, or its source, asked to come back.
        asked: Option<Duration>,
        /// Slots that came and went because this run still ran.
        skipped_overlap: u32,
        /// Slots that came and went before it started.
        skipped_misfire: u32,
        /// What the job has become.
        state: &'a JobState,
    },
    /// A tick's outcome does not count: the run is repeated from the old cursor, here or by another runner.
    Void {
        /// The run's key within the job.
        run_key: UnixMs,
        /// Why.
        reason: &'static str,
    },
    /// Missed runs are left out (`catch_up: skip`).
    Skipped {
        /// How many.
        count: u32,
        /// What the job has become.
        state: &'a JobState,
    },
    /// Another runner holds the lease of a job that is due.
    Held {
        /// Which.
        owner: &'a str,
        /// Until when, unless it is renewed.
        until: UnixMs,
    },
    /// The lease of a runner that is gone was taken over.
    TookOver,
    /// Somebody changed the job, durably.
    Changed {
        /// How.
        change: &'a Change,
        /// What the job has become.
        state: &'a JobState,
    },
    /// The wall clock was set, or the machine slept.
    ClockSet {
        /// By how many milliseconds; negative where it was set back.
        by_ms: i64,
    },
}

impl<'a> RunnerEvent<'a> {
    /// `what` happened to `job` at `at`; `None` where it concerns the runner.
    #[must_use]
    pub const fn new(at: UnixMs, job: Option<&'a str>, what: RunnerEventKind<'a>) -> Self {
        Self { at, job, what }
    }
}

impl Observer {
    /// An observer that calls `observe`.
    pub fn new(observe: impl Fn(&RunnerEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    /// Tells it.
    pub fn observe(&self, event: &RunnerEvent<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}
