use std::time::Duration;

/// A time to wait as whole seconds, rounded up: coming back early is what the other side asked us not to do.
pub(super) fn at_least(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// The duration that a number of seconds on the wire means, if it means one.
pub(super) fn read(secs: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(secs).ok()
}
