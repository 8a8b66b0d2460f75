use std::time::Duration;

use async_trait::async_trait;
use nexo_poller::store::{Clock, UnixMs, VirtualClock};
use tokio::sync::Notify;

/// A set clock is noticed within this, as by a real runner.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// The wall clock of a simulated machine. Whoever sleeps is woken where the clock is set, so that nobody needs to look at it
/// again and again meanwhile: most of a simulation is waiting.
pub(super) struct SimClock {
    clock: VirtualClock,
    /// Wakes its waiters in the order in which they came; a watch channel would choose one at random.
    jumps: Notify,
}

impl SimClock {
    /// Must be made inside a tokio runtime.
    pub(super) fn at(now: UnixMs) -> Self {
        Self { clock: VirtualClock::at(now), jumps: Notify::new() }
    }

    pub(super) fn jump(&self, by_ms: i64) {
        self.clock.jump(by_ms);
        self.jumps.notify_waiters();
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> UnixMs {
        self.clock.now()
    }

    async fn sleep(&self, duration: Duration) {
        let sleep = tokio::time::sleep(duration);
        tokio::pin!(sleep);
        tokio::select! {
            biased;
            () = &mut sleep => {}
            () = self.jumps.notified() => {
                let _ = tokio::time::timeout(NOTICED_WITHIN, sleep).await;
            }
        }
    }
}
