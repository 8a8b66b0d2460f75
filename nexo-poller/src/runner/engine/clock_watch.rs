use tokio::time::Instant;

use crate::store::UnixMs;

/// Wall time that runs ahead of or behind elapsed time by more than this was set. Less is how clocks are kept in time.
const JUMP_MS: u64 = 5_000;

/// Notices that the wall clock was set or that the machine slept: elapsed time does neither.
pub(super) struct ClockWatch {
    // Both as of the last look, read one right after the other.
    wall: UnixMs,
    elapsed: Instant,
}

impl ClockWatch {
    pub(super) fn new(wall: UnixMs, elapsed: Instant) -> Self {
        Self { wall, elapsed }
    }

    /// By how many milliseconds the wall clock was set since the last look, negative where it was set back; `None` where it was
    /// not.
    pub(super) fn jump(&mut self, wall: UnixMs, elapsed: Instant) -> Option<i64> {
        let passed = i64::try_from(elapsed.saturating_duration_since(self.elapsed).as_millis()).unwrap_or(i64::MAX);
        let jump = wall.0.saturating_sub(self.wall.0).saturating_sub(passed);
        (self.wall, self.elapsed) = (wall, elapsed);
        (jump.unsigned_abs() >= JUMP_MS).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_noticed_once_and_one_that_drifts_is_not() {
        let (wall, elapsed) = (UnixMs(1_000_000), Instant::now());
        let mut watch = ClockWatch::new(wall, elapsed);
        let second = Duration::from_secs(1);
        assert_eq!(watch.jump(wall.plus(second * 2), elapsed + second), None, "a second ahead");
        assert_eq!(watch.jump(wall.plus(second * 63), elapsed + second * 2), Some(60_000));
        assert_eq!(watch.jump(wall.plus(second * 64), elapsed + second * 3), None, "it runs on from there");
        assert_eq!(watch.jump(wall, elapsed + second * 3), Some(-64_000));
    }
}
