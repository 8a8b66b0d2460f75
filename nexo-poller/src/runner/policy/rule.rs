use std::time::Duration;

use crate::runner::job::CatchUp;
use crate::runner::schedule::{Grid, Schedule};
use crate::runner::seed;

/// The part of a job's definition that decisions depend on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct JobRule<'a> {
    /// When it runs.
    pub schedule: &'a Schedule,
    /// What happens to missed runs.
    pub catch_up: CatchUp,
    /// The job's own number, from its id: seeds the offset of its grid and its jitter.
    pub seed: u64,
    /// A fingerprint of its config.
    pub config: i64,
}

/// The numbers of a runner that decisions depend on; see [`RunnerOptions`](crate::runner::RunnerOptions) for what each means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rules {
    /// See [`RunnerOptions::default_jitter`](crate::runner::RunnerOptions::default_jitter).
    pub default_jitter: Duration,
    /// See [`RunnerOptions::breaker_threshold`](crate::runner::RunnerOptions::breaker_threshold).
    pub breaker_threshold: u32,
    /// See [`RunnerOptions::breaker_cooldown`](crate::runner::RunnerOptions::breaker_cooldown).
    pub breaker_cooldown: Duration,
    /// See [`RunnerOptions::breaker_cooldown_cap`](crate::runner::RunnerOptions::breaker_cooldown_cap).
    pub breaker_cooldown_cap: Duration,
    /// See [`RunnerOptions::backoff_base`](crate::runner::RunnerOptions::backoff_base).
    pub backoff_base: Duration,
    /// See [`RunnerOptions::backoff_cap`](crate::runner::RunnerOptions::backoff_cap).
    pub backoff_cap: Duration,
    /// See [`RunnerOptions::misfire_grace`](crate::runner::RunnerOptions::misfire_grace).
    pub misfire_grace: Duration,
    /// See [`RunnerOptions::failure_alert_cooldown`](crate::runner::RunnerOptions::failure_alert_cooldown).
    pub failure_alert_cooldown: Duration,
}

/// The job's number: the same on every machine.
#[must_use]
pub fn seed_of(job_id: &str) -> u64 {
    seed::of(job_id.as_bytes())
}

impl<'a> JobRule<'a> {
    /// The rule of a job with this schedule, whose [number](seed_of) is `seed` and whose config has this fingerprint.
    #[must_use]
    pub const fn new(schedule: &'a Schedule, catch_up: CatchUp, seed: u64, config: i64) -> Self {
        Self { schedule, catch_up, seed, config }
    }
}

impl JobRule<'_> {
    pub(super) fn grid(&self, skew: i64) -> Grid {
        Grid::from_seed(self.seed, skew)
    }
}

/// What lies further ahead than this was written before the clock was set back; two machines may differ by less.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Where the clock was set back, times of the day wait for the day that they have had already. A clock that was wrong by more than
/// this is not waited for: it may have been years.
pub(super) const LONGEST_SET_BACK: Duration = Duration::from_secs(86_400);

/// No tick moves its next slot further than a week, so that one which is further from the schedule's own was planned by a wrong
/// clock.
pub(super) const LONGEST_DETOUR: Duration = Duration::from_secs(8 * 86_400);
