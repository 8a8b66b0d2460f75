//! Every decision about a job, as pure functions: `(job, state, what happened, now, random) → (new state, effects)`.
//!
//! The engine, the simulations and the property tests share these functions and nothing else decides: when a run is due
//! ([`fire`]), what its outcome means ([`finish`]), what an operator or a reload changes ([`edit`]). No clock is read
//! here, no store, no random source.

mod edit;
mod finish;
mod fire;
mod retry;
mod slots;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::edit::{Change, adopt, edit};
pub use self::finish::{Finished, Outcome, Run, finish};
pub use self::fire::{Fire, fire, manual_key};
use super::schedule::Grid;
use super::{CatchUp, RunnerOptions, Schedule};
use crate::contract::PollerError;

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

/// The numbers of a runner that decisions depend on; see [`RunnerOptions`] for what each means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rules {
    /// See [`RunnerOptions::default_jitter`].
    pub default_jitter: Duration,
    /// See [`RunnerOptions::breaker_threshold`].
    pub breaker_threshold: u32,
    /// See [`RunnerOptions::breaker_cooldown`].
    pub breaker_cooldown: Duration,
    /// See [`RunnerOptions::breaker_cooldown_cap`].
    pub breaker_cooldown_cap: Duration,
    /// See [`RunnerOptions::backoff_base`].
    pub backoff_base: Duration,
    /// See [`RunnerOptions::backoff_cap`].
    pub backoff_cap: Duration,
    /// See [`RunnerOptions::misfire_grace`].
    pub misfire_grace: Duration,
    /// See [`RunnerOptions::failure_alert_cooldown`].
    pub failure_alert_cooldown: Duration,
}

impl From<&RunnerOptions> for Rules {
    fn from(options: &RunnerOptions) -> Self {
        Self {
            default_jitter: options.default_jitter,
            breaker_threshold: options.breaker_threshold,
            breaker_cooldown: options.breaker_cooldown,
            breaker_cooldown_cap: options.breaker_cooldown_cap,
            backoff_base: options.backoff_base,
            backoff_cap: options.backoff_cap,
            misfire_grace: options.misfire_grace,
            failure_alert_cooldown: options.failure_alert_cooldown,
        }
    }
}

/// The job's number: the same on every machine.
#[must_use]
pub fn seed_of(job_id: &str) -> u64 {
    super::seed::of(job_id.as_bytes())
}

impl<'a> JobRule<'a> {
    /// The rule of a job with this schedule, whose [number](seed_of) is `seed` and whose config has this fingerprint.
    #[must_use]
    pub const fn new(schedule: &'a Schedule, catch_up: CatchUp, seed: u64, config: i64) -> Self {
        Self { schedule, catch_up, seed, config }
    }
}

impl JobRule<'_> {
    fn grid(&self, skew: i64) -> Grid {
        Grid::from_seed(self.seed, skew)
    }
}

/// What lies further ahead than this was written before the clock was set back; two machines may differ by less.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The longest message that is kept of a failure, in bytes.
const MAX_MESSAGE: usize = 1000;

/// What is kept of a failure's message.
pub(crate) fn message_of(error: &PollerError) -> String {
    shorten(error.to_string())
}

/// Cuts a message to what is kept, at a character's end.
pub(crate) fn shorten(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}
