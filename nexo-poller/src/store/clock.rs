use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use tokio::time::Instant;

use super::UnixMs;

/// Wall time, and a way to wait.
///
/// Waiting is *elapsed* time and may be longer than wall time suggests (a machine that sleeps, a clock that is set), so
/// whoever waits for a wall time waits in short stretches and looks again.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The wall time.
    fn now(&self) -> UnixMs;

    /// Waits until `duration` has elapsed.
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        UnixMs(Utc::now().timestamp_millis())
    }
}

/// A clock that shows the machine's time as it was when it was made, and goes on steadily from there: nobody can set it.
/// Good for measuring, whatever the wall clock does.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    base: UnixMs,
    started: std::time::Instant,
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self { base: SystemClock.now(), started: std::time::Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> UnixMs {
        self.base.plus(self.started.elapsed())
    }
}

/// A clock for tests: wall time that follows tokio's own, so a test with paused time owns both, and can set the wall
/// clock besides.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::store::{Clock, UnixMs, VirtualClock};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// tokio::time::pause();
/// let clock = VirtualClock::at(UnixMs(1_000_000));
/// clock.sleep(Duration::from_secs(3600)).await; // returns at once
/// let an_hour_later = clock.now();
/// assert!(an_hour_later >= UnixMs(4_600_000));
/// clock.jump(-3_600_000); // somebody sets the clock back by an hour
/// assert_eq!(clock.now(), UnixMs(an_hour_later.0 - 3_600_000));
/// # }
/// ```
#[derive(Debug)]
pub struct VirtualClock {
    started: Instant,
    /// The wall time at `started`.
    base: AtomicI64,
}

impl VirtualClock {
    /// A clock that shows `now`. Must be made inside a tokio runtime.
    #[must_use]
    pub fn at(now: UnixMs) -> Self {
        Self { started: Instant::now(), base: AtomicI64::new(now.0) }
    }

    /// Sets the wall clock forward or, with a negative number, back, while no time elapses.
    pub fn jump(&self, by_ms: i64) {
        self.base.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.base.load(Ordering::SeqCst)).plus(self.started.elapsed())
    }
}
