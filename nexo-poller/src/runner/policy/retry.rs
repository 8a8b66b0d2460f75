//! When to try again after a transient failure.

use std::time::Duration;

use super::rule::Rules;
use crate::runner::seed;
use crate::store::{Breaker, JobState, UnixMs};

/// The longest that a source may make a job wait.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// A source that said when to come back. Its word is a floor that jitter only adds to; waiting on it spends neither
/// attempts nor breaker budget.
pub(super) fn rate_limited(state: &mut JobState, retry_after: Duration, now: UnixMs, random: u64) -> UnixMs {
    let floor = retry_after.min(RETRY_AFTER_CAP);
    let spread = (floor / 10).max(Duration::from_secs(1));
    let until = now.plus(floor + fraction(random, spread));
    if let Breaker::Open { trips, .. } = state.breaker {
        // The probe was inconclusive: there is another one when the source is ready.
        state.breaker = Breaker::Open { until, trips };
    }
    until
}

/// A failure that counts. `interval` is the job's own: a job that runs rarely may also be retried rarely.
pub(super) fn failed(
    state: &mut JobState,
    rules: &Rules,
    interval: Duration,
    now: UnixMs,
    random: u64,
) -> (UnixMs, bool) {
    state.errors = state.errors.saturating_add(1);
    state.attempt = state.attempt.saturating_add(1);
    let trips = match state.breaker {
        Breaker::Open { trips, .. } => Some(trips),
        Breaker::Closed if rules.breaker_threshold > 0 && state.errors >= rules.breaker_threshold => Some(0),
        Breaker::Closed => None,
    };
    if let Some(trips) = trips {
        let opened = state.breaker == Breaker::Closed;
        let cooldown = doubled(rules.breaker_cooldown, trips).min(rules.breaker_cooldown_cap);
        let until = now.plus(cooldown + fraction(random, cooldown / 10));
        state.breaker = Breaker::Open { until, trips: trips.saturating_add(1) };
        return (until, opened);
    }
    let cap = rules.backoff_cap.max(interval);
    let most = doubled(rules.backoff_base, state.errors - 1).min(cap);
    (now.plus(fraction(random, most)), false)
}

fn doubled(base: Duration, times: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX))
}

/// An even share of `most`: full jitter.
fn fraction(random: u64, most: Duration) -> Duration {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(seed::within(random, most))
}
