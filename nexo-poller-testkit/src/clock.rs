use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A wall clock that stands still until a test moves it. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller_testkit::TestClock;
///
/// let clock = TestClock::at("2026-03-29T00:59:00Z");
/// let seen_by_the_job = clock.clone();
/// clock.advance(Duration::from_secs(120));
/// assert_eq!(seen_by_the_job.now().to_rfc3339(), "2026-03-29T01:01:00+00:00");
/// ```
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<DateTime<Utc>>>);

impl TestClock {
    /// A clock that shows `start`, an RFC 3339 time such as `2026-03-29T01:00:00Z`.
    ///
    /// # Panics
    /// Where `start` is not an RFC 3339 time.
    #[must_use]
    #[track_caller]
    pub fn at(start: &str) -> Self {
        Self::new(read_time(start))
    }

    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A test that adds millennia stays at the end of time instead of failing in arithmetic.
        *now = chrono::Duration::from_std(by)
            .ok()
            .and_then(|by| now.checked_add_signed(by))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
    }

    /// Sets the clock, back included, as an operator or a time server may do.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// Starts at 2026-01-05T12:00:00Z, a Monday.
impl Default for TestClock {
    fn default() -> Self {
        Self::at("2026-01-05T12:00:00Z")
    }
}

/// Reads an RFC 3339 time that stands in a test.
#[track_caller]
pub(crate) fn read_time(text: &str) -> DateTime<Utc> {
    match text.parse() {
        Ok(time) => time,
        Err(error) => panic!("`{text}` is not a time such as 2026-03-29T01:00:00Z: {error}"),
    }
}
