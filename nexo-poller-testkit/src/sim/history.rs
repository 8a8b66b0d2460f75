use std::time::Duration;

use nexo_poller::store::{PauseCause, UnixMs};

/// Everything that happened in a simulation, in the order in which it happened.
///
/// Printed, it is a timeline in each job's local time; [`to_svg`](Self::to_svg) draws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub(super) seed: u64,
    pub(super) start: UnixMs,
    pub(super) length: Duration,
    pub(super) runners: usize,
    pub(super) jobs: Vec<SimulatedJob>,
    pub(super) entries: Vec<Entry>,
    /// Texts that entries refer to.
    pub(super) texts: Vec<String>,
    pub(super) broken: Vec<Broken>,
}

/// A job of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimulatedJob {
    /// Its id.
    pub id: String,
    /// Its schedule, in words.
    pub schedule: String,
    /// The IANA name of its time zone; `UTC` where the schedule has none.
    pub zone: String,
}

/// One line of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// When, by the wall clock, which may have been set back since the entry before.
    pub at: UnixMs,
    /// The runner, counted from one; 0 where it concerns none.
    pub runner: u8,
    /// The job's place in [`History::jobs`]; `None` where it concerns all of them.
    pub(super) job: JobNumber,
    /// What.
    pub what: What,
}

/// A place in the list of jobs; four bytes rather than sixteen, because there are millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobNumber(u32);

impl JobNumber {
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn of(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The same where there is only one job.
    pub(super) fn alone(self) -> Self {
        if self == Self::NONE { self } else { Self(0) }
    }

    pub(super) fn index(self) -> Option<usize> {
        (self != Self::NONE).then_some(self.0 as usize)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A tick started at this instant.
    Ran(Run),
    /// The run that just failed is tried again.
    Retry {
        /// When.
        due: UnixMs,
        /// Why then.
        why: RetryReason,
        /// Failures in a row that count.
        failures: u32,
    },
    /// Slots that came and went without a run.
    Skipped {
        /// How many.
        count: u32,
        /// Why.
        why: SkipReason,
    },
    /// The job stops.
    Paused {
        /// Why.
        cause: PauseCause,
        /// The sentence that an operator reads; see [`History::text`].
        reason: Text,
    },
    /// An operator let the job run again.
    Resumed,
    /// An operator reset the job: no cursor, no failures.
    Reset,
    /// The job was due, but another runner holds its lease.
    Held {
        /// Until when, unless it is renewed.
        until: UnixMs,
    },
    /// The lease of a runner that is gone ran out, and was taken over.
    TookOver,
    /// A runner started.
    RunnerStarted,
    /// A runner was stopped in order.
    RunnerStopped,
    /// A runner died.
    RunnerCrashed,
    /// The wall clock was set.
    ClockSet {
        /// By how many milliseconds; negative where it was set back.
        by_ms: i64,
    },
    /// Trouble of the scenario begins.
    TroubleBegan(Text),
    /// It is over.
    TroubleEnded(Text),
}

/// One tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The instant that the schedule names: the run's key within its job.
    pub slot: UnixMs,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// 0 for the first attempt at this run.
    pub attempt: u16,
    /// Why it started when it did.
    pub cause: Cause,
    /// How it ended.
    pub end: End,
    /// What it said, where it failed; see [`History::text`].
    pub message: Text,
}

/// Why a tick started when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Its slot had come.
    OnTime,
    /// Its slot had come a little before, within the grace.
    Late,
    /// Its slot was missed: it stands for what was missed, or is one of the missed runs (`catch_up: all`).
    CatchUp,
    /// The attempt before had failed.
    Retry,
    /// The tick before had asked for it.
    Asked,
    /// An operator asked for it.
    ByHand,
}

/// How a tick ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// It still runs.
    Running,
    /// Acknowledged, its cursor durable.
    Ok,
    /// It failed and is tried again.
    Transient,
    /// It failed, and the job is paused.
    Permanent,
    /// Its config was refused, and the job is paused.
    Config,
    /// It ended, but its outcome did not count.
    Void,
    /// It died with its runner.
    Died,
}

/// Why a run is tried again when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryReason {
    /// Exponential backoff with jitter.
    Backoff,
    /// The source said when to come back.
    RetryAfter,
    /// The breaker is open; this is its probe.
    Breaker,
}

/// Why slots came and went without a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The run before them still ran.
    Overlap,
    /// They were missed, and one later run stood for them.
    Missed,
    /// They were missed, and `catch_up: skip` leaves such runs out.
    LeftOut,
}

/// A text that an entry refers to; [`History::text`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Text(u32);

impl Text {
    pub(super) fn at(index: usize) -> Self {
        Self(u32::try_from(index + 1).unwrap_or(0))
    }

    pub(super) fn index(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }
}

/// A rule that the runner broke.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// When, by the wall clock.
    pub at: UnixMs,
    /// The job.
    pub job: String,
    /// Which rule, and how.
    pub rule: String,
}
