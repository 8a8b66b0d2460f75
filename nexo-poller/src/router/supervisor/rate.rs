use std::time::{Duration, Instant};

/// Lets so many through in a window of time and counts the rest.
#[derive(Debug)]
pub(super) struct RateLimit {
    most: u32,
    window: Duration,
    started: Option<Instant>,
    passed: u32,
    held_back: u64,
}

/// What to do with one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Let it through; so many were held back since the last that went through.
    Pass { held_back: u64 },
    /// Hold it back.
    Hold,
}

impl RateLimit {
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, started: None, passed: 0, held_back: 0 }
    }

    pub(super) fn check(&mut self, now: Instant) -> Verdict {
        if self.started.is_none_or(|started| now.duration_since(started) >= self.window) {
            self.started = Some(now);
            self.passed = 0;
        }
        if self.passed >= self.most {
            self.held_back += 1;
            return Verdict::Hold;
        }
        self.passed += 1;
        Verdict::Pass { held_back: std::mem::take(&mut self.held_back) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_rate_is_counted_and_told_with_the_next_that_passes() {
        let start = Instant::now();
        let mut limit = RateLimit::new(2, Duration::from_secs(1));
        let verdicts: Vec<Verdict> = (0..5).map(|_| limit.check(start)).collect();
        let pass = Verdict::Pass { held_back: 0 };
        assert_eq!(verdicts, [pass, pass, Verdict::Hold, Verdict::Hold, Verdict::Hold]);
        assert_eq!(limit.check(start + Duration::from_secs(1)), Verdict::Pass { held_back: 3 });
    }
}
