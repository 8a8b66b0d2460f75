use std::time::Duration;

/// When a plugin that has ended is started again: after 1 s, doubling to 60 s; from the beginning after 60 s of being
/// up. It is never given up: what is missing may come back, and one try a minute costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestartPolicy {
    /// The wait after the first end.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Being up for this long makes the next end the first one again.
    pub stable: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60), stable: Duration::from_secs(60) }
    }
}

impl RestartPolicy {
    /// Waits `first` after the first end.
    #[must_use]
    pub const fn with_first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// Waits `longest` at most.
    #[must_use]
    pub const fn with_longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Begins from the beginning after `stable` of being up.
    #[must_use]
    pub const fn with_stable(mut self, stable: Duration) -> Self {
        self.stable = stable;
        self
    }

    /// How many ends in a row this one makes, after `before` of them and then `uptime`.
    #[must_use]
    pub fn failures(&self, before: u32, uptime: Duration) -> u32 {
        if uptime >= self.stable { 1 } else { before.saturating_add(1) }
    }

    /// The wait after that many ends in a row.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_a_minute_and_starts_over_after_a_stable_minute() {
        let policy = RestartPolicy::default();
        let waits: Vec<u64> = (1..9).map(|failures| policy.delay(failures).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(policy.delay(u32::MAX), Duration::from_secs(60));
        assert_eq!(policy.failures(7, Duration::from_secs(59)), 8);
        assert_eq!(policy.failures(7, Duration::from_secs(60)), 1);
    }
}
