use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::TickMetrics;
use crate::store::{Pause, RunOutcome, UnixMs};

/// Everything about one job that `list` and `show` print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JobStatus {
    /// The job.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its agent.
    pub agent: String,
    /// Its schedule, in words.
    pub schedule: String,
    /// What it is doing.
    pub phase: JobPhase,
    /// One sentence on that: why it does not run, and when it will.
    pub why: String,
    /// The instant that the schedule names for the next run.
    pub next_slot: Option<UnixMs>,
    /// When the next run is due: the slot plus jitter or backoff.
    pub next_due: Option<UnixMs>,
    /// How the last run ended.
    pub last_outcome: Option<RunOutcome>,
    /// When it started.
    pub last_started: Option<UnixMs>,
    /// When it ended.
    pub last_ended: Option<UnixMs>,
    /// When a run last succeeded.
    pub last_success: Option<UnixMs>,
    /// Seconds since then: a job that is "active" but stopped shows here.
    pub freshness_secs: Option<u64>,
    /// The message of the last failure, while there is one.
    pub last_error: Option<String>,
    /// The message of the first failure of the series.
    pub first_error: Option<String>,
    /// Failures in a row.
    pub consecutive_errors: u32,
    /// Failed attempts at the upcoming run.
    pub attempt: u32,
    /// Its breaker.
    pub breaker: BreakerState,
    /// While the breaker is open: until when.
    pub breaker_until: Option<UnixMs>,
    /// No run before this, after a failure.
    pub backoff_until: Option<UnixMs>,
    /// Why, by whom and since when the job is paused.
    pub paused: Option<Pause>,
    /// Since when the present tick runs.
    pub running_since: Option<UnixMs>,
    /// Another daemon that runs the job, as last seen.
    pub lease: Option<LeaseHolder>,
    /// The cursor's size; its content may hold a secret.
    pub cursor_bytes: usize,
    /// The fencing number.
    pub epoch: u64,
    /// Runs that were skipped since the runner started, because the one before still ran.
    pub skipped_overlap: u64,
    /// Runs that were skipped since the runner started, because nothing ran when they were due.
    pub skipped_misfire: u64,
    /// Ticks that succeeded since the runner started.
    pub ticks_ok: u64,
    /// Ticks that failed since the runner started.
    pub ticks_failed: u64,
}

/// Who else runs a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LeaseHolder {
    /// The other daemon.
    pub owner: String,
    /// When its lease ends, by the store's clock, unless it is renewed.
    pub until: UnixMs,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// Waiting for its next slot.
    Scheduled,
    /// Due, and waiting for a free place or for its kind.
    Waiting,
    /// Running now.
    Running,
    /// Failed; waiting for its retry.
    Backoff,
    /// Failed often; waiting for its probe.
    BreakerOpen,
    /// Paused.
    Paused,
    /// Paused because its config was refused.
    Quarantined,
    /// Another daemon runs it.
    Elsewhere,
    /// Nothing is to come: its one instant has passed.
    Finished,
}

impl JobPhase {
    /// All of them.
    #[cfg(feature = "unstable")]
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Waiting,
        Self::Running,
        Self::Backoff,
        Self::BreakerOpen,
        Self::Paused,
        Self::Quarantined,
        Self::Elsewhere,
        Self::Finished,
    ];

    /// The phase's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::BreakerOpen => "breaker_open",
            Self::Paused => "paused",
            Self::Quarantined => "quarantined",
            Self::Elsewhere => "elsewhere",
            Self::Finished => "finished",
        }
    }
}

/// A job's breaker: after too many failures in a row the job is only probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// The job runs by its schedule.
    Closed,
    /// The next run is the probe that decides.
    HalfOpen,
    /// No run until the cool-down ends.
    Open,
}

impl BreakerState {
    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// How a runner is, at the price of one look: see [`PollerRunner::health`](super::PollerRunner::health).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunnerHealth {
    /// Jobs that are loaded.
    pub jobs: usize,
    /// Ticks that run now.
    pub ticks_in_flight: usize,
    /// Why the job state could not be written the last time; no tick starts until it can. The runner tries again by itself.
    pub store_trouble: Option<String>,
}

/// What one tick did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TickReport {
    /// The job.
    pub job_id: String,
    /// The run's key within the job.
    pub run_key: UnixMs,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The message, where it failed.
    pub error: Option<String>,
    /// How many items were seen and dispatched.
    pub metrics: Option<TickMetrics>,
    /// How long the tick took.
    pub took: Duration,
    /// When the next run is due.
    pub next_due: Option<UnixMs>,
}
