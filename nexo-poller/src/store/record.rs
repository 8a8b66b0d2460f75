use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnixMs;

/// Everything about one job that outlives a process, its lease apart.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobState {
    /// The next run; `None` where nothing is to come.
    pub next: Option<Slot>,
    /// Where the next tick resumes.
    pub cursor: Option<Box<[u8]>>,
    /// The cursor before that one, for an operator who wants to step back.
    pub previous_cursor: Option<Box<[u8]>>,
    /// Failed attempts at the upcoming run. Zero: it was not tried yet.
    pub attempt: u32,
    /// Consecutive failures that count.
    pub errors: u32,
    /// No run before this, after a failure.
    pub backoff_until: Option<UnixMs>,
    /// The breaker.
    pub breaker: Breaker,
    /// Set while the job is paused.
    pub pause: Option<Box<Pause>>,
    /// How the last run ended.
    pub last: Option<LastRun>,
    /// The message of the last failure, and of the first one of the present series.
    pub failure: Option<Box<FailureNote>>,
    /// When a run last succeeded.
    pub last_success: Option<UnixMs>,
    /// When the last failure alert went out.
    pub last_alert: Option<UnixMs>,
    /// A fingerprint of the schedule that `next` was planned by.
    pub planned_by: i64,
    /// Milliseconds added to the phase of an interval each time the wall clock was set back, so that no run key repeats.
    pub skew: i64,
}

/// A cursor of the past.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastCursor {
    /// When it was written, by the clock of whoever keeps the history.
    pub written: UnixMs,
    /// What it was; `None`: none at all.
    pub cursor: Option<Box<[u8]>>,
}

/// Shows no cursor: it may hold a secret.
impl fmt::Debug for PastCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastCursor").field("written", &self.written).finish_non_exhaustive()
    }
}

/// One planned run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slot {
    /// The instant that the schedule names: with the job's id, the run's key.
    pub scheduled_at: UnixMs,
    /// When it is to start: `scheduled_at` plus jitter, or after a failure the end of the backoff.
    pub due: UnixMs,
}

/// A job's breaker: after too many failures in a row it is only probed, at growing distances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Breaker {
    /// All is well.
    #[default]
    Closed,
    /// No run before `until`; then one probe (half-open).
    Open {
        /// The end of the cool-down.
        until: UnixMs,
        /// How often it opened in a row.
        trips: u32,
    },
}

/// Why, by whom and since when a job is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Pause {
    /// What kind of pause.
    pub cause: PauseCause,
    /// A sentence.
    pub reason: String,
    /// Who paused it: an operator's name, or `runner`.
    pub by: String,
    /// Since when.
    pub at: UnixMs,
    /// A fingerprint of the config that was refused, so that another one lifts the pause.
    #[serde(default)]
    pub config: i64,
}

/// What kind of pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// Somebody asked for it.
    Operator,
    /// `paused_on_boot` in the job's definition.
    OnBoot,
    /// A tick failed permanently.
    Permanent,
    /// The config was refused. A reload with another config lifts it.
    Config,
}

/// How the last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastRun {
    /// The instant that the schedule names for it.
    pub scheduled_at: UnixMs,
    /// When it started.
    pub started: UnixMs,
    /// When it ended.
    pub ended: UnixMs,
    /// How.
    pub outcome: RunOutcome,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Acknowledged; its cursor is durable.
    Ok,
    /// To be retried.
    Transient,
    /// The job is paused.
    Permanent,
    /// The config was refused; the job is paused.
    Config,
}

/// What went wrong, in words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureNote {
    /// The first failure of the series.
    pub first: String,
    /// The last one.
    pub last: String,
}

impl JobState {
    /// The state of a job that was never run, with this cursor.
    #[must_use]
    pub fn with_cursor(cursor: impl Into<Box<[u8]>>) -> Self {
        Self { cursor: Some(cursor.into()), ..Self::default() }
    }
}

impl PastCursor {
    /// What the cursor was when it was written.
    #[must_use]
    pub const fn new(written: UnixMs, cursor: Option<Box<[u8]>>) -> Self {
        Self { written, cursor }
    }
}

impl Slot {
    /// The run that the schedule names `scheduled_at`, to start when it is `due`.
    #[must_use]
    pub const fn new(scheduled_at: UnixMs, due: UnixMs) -> Self {
        Self { scheduled_at, due }
    }
}

impl Pause {
    /// A pause since `at`, by `by`, for the reason given. It is of no config in particular.
    pub fn new(cause: PauseCause, reason: impl Into<String>, by: impl Into<String>, at: UnixMs) -> Self {
        Self { cause, reason: reason.into(), by: by.into(), at, config: 0 }
    }
}

impl LastRun {
    /// The run `scheduled_at`, which took from `started` to `ended`.
    #[must_use]
    pub const fn new(scheduled_at: UnixMs, started: UnixMs, ended: UnixMs, outcome: RunOutcome) -> Self {
        Self { scheduled_at, started, ended, outcome }
    }
}

impl FailureNote {
    /// The first message of a series, and the last one.
    pub fn new(first: impl Into<String>, last: impl Into<String>) -> Self {
        Self { first: first.into(), last: last.into() }
    }
}

impl RunOutcome {
    /// The outcome's name in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Config => "config",
        }
    }
}

/// Shows no cursor and no message: either may hold a secret.
impl fmt::Debug for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobState")
            .field("next", &self.next)
            .field("cursor_bytes", &self.cursor.as_ref().map(|cursor| cursor.len()))
            .field("attempt", &self.attempt)
            .field("errors", &self.errors)
            .field("backoff_until", &self.backoff_until)
            .field("breaker", &self.breaker)
            .field("pause", &self.pause.as_ref().map(|pause| pause.cause))
            .field("last", &self.last)
            .field("last_success", &self.last_success)
            .finish_non_exhaustive()
    }
}

/// Shows no message: it may quote what a source answered.
impl fmt::Debug for FailureNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureNote").finish_non_exhaustive()
    }
}
