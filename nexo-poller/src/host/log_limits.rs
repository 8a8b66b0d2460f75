use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that the pollers of one kind may log in a second.
const LINES: u32 = 100;
/// Bytes that they may log in a second.
const BYTES: usize = 256 * 1024;
const WINDOW: Duration = Duration::from_secs(1);
/// Kinds that are remembered; beyond, those that have been silent are forgotten.
const MOST_KINDS: usize = 4_096;

/// How much pollers may log, by kind: what is over it is dropped and counted, so that none fills the disk.
#[derive(Debug, Default)]
pub(super) struct LogLimits(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    bytes: usize,
    dropped: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// It is logged; so many before it were dropped and not told of yet.
    Yes {
        dropped: u64,
    },
    No,
}

impl LogLimits {
    /// Whether a line of `bytes` of a poller of `kind` may be logged at `now`.
    pub(super) fn check(&self, kind: &str, bytes: usize, now: Instant) -> Allowed {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_KINDS && !windows.contains_key(kind) {
            windows.retain(|_, window| now.duration_since(window.began) < WINDOW);
        }
        let new = || Window { began: now, lines: 0, bytes: 0, dropped: 0 };
        let window = windows.entry(kind.to_owned()).or_insert_with(new);
        if now.duration_since(window.began) >= WINDOW {
            *window = Window { dropped: window.dropped, ..new() };
        }
        if window.lines >= LINES || window.bytes.saturating_add(bytes) > BYTES {
            window.dropped += 1;
            return Allowed::No;
        }
        window.lines += 1;
        window.bytes += bytes;
        Allowed::Yes { dropped: std::mem::take(&mut window.dropped) }
    }

    /// How many lines of `kind` were dropped and not told of yet: they are told of now.
    pub(super) fn take_dropped(&self, kind: &str) -> u64 {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get_mut(kind).map_or(0, |window| std::mem::take(&mut window.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Allowed = Allowed::Yes { dropped: 0 };

    #[test]
    fn a_kind_logs_so_many_lines_and_bytes_a_second_and_the_rest_is_counted() {
        let (limits, start) = (LogLimits::default(), Instant::now());
        for _ in 0..LINES {
            assert_eq!(limits.check("jira", 10, start), YES);
        }
        for _ in 0..7 {
            assert_eq!(limits.check("jira", 10, start), Allowed::No);
        }
        assert_eq!(limits.check("rss", BYTES, start), YES);
        assert_eq!(limits.check("rss", 1, start), Allowed::No);
        assert_eq!((limits.take_dropped("rss"), limits.take_dropped("rss")), (1, 0));
        assert_eq!(limits.check("jira", 10, start + WINDOW), Allowed::Yes { dropped: 7 });
        assert_eq!(limits.check("jira", 10, start + WINDOW), YES);
    }

    #[test]
    fn kinds_that_are_silent_are_forgotten() {
        let (limits, start) = (LogLimits::default(), Instant::now());
        for kind in 0..MOST_KINDS {
            limits.check(&kind.to_string(), 1, start);
        }
        limits.check("one more", 1, start + WINDOW);
        assert_eq!(limits.0.lock().unwrap().len(), 1);
    }
}
