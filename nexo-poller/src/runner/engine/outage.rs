use std::time::Duration;

use tokio::time::Instant;

use crate::store::{StoreError, UnixMs};

/// A store that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// While the store does not work, it is logged again after this: once a second would bury whatever else there is to read.
const LOG_AGAIN: Duration = Duration::from_secs(60);

/// The store does not work. No tick starts meanwhile: its claim could not be written, nor what it does to the cursor. What is
/// to be written waits in the outbox.
pub(super) struct StoreOutage {
    /// Of the last write.
    error: StoreError,
    /// Of the first one that failed, by the wall clock, for people.
    since: UnixMs,
    /// Set by each write that fails.
    retry_at: Instant,
    logged_at: Instant,
}

impl StoreOutage {
    /// A write has failed; `before` is what was known of the outage.
    pub(super) fn after(before: Option<Self>, error: StoreError, since: UnixMs, now: Instant) -> Self {
        let retry_at = now + RETRY;
        match before {
            Some(before) if now < before.logged_at + LOG_AGAIN => Self { error, retry_at, ..before },
            before => {
                tracing::error!(%error, "no tick starts until the job state can be written again");
                Self { error, since: before.map_or(since, |before| before.since), retry_at, logged_at: now }
            }
        }
    }

    /// A write was answered.
    pub(super) fn end(self, now: UnixMs) {
        let lasted = now.since(self.since);
        tracing::info!(lasted_secs = lasted.as_secs(), "the job state can be written again; ticks go on");
    }

    pub(super) fn error(&self) -> &StoreError {
        &self.error
    }

    pub(super) fn retry_at(&self) -> Instant {
        self.retry_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_has_lasted_since_its_first_failure_and_tells_the_last_one() {
        let (now, since) = (Instant::now(), UnixMs(1_000));
        let error = |text: &str| StoreError::unavailable(text);
        let first = StoreOutage::after(None, error("full"), since, now);
        let second = StoreOutage::after(Some(first), error("away"), UnixMs(2_000), now + RETRY);
        let third = StoreOutage::after(Some(second), error("full again"), UnixMs(90_000), now + LOG_AGAIN);
        assert_eq!((third.since, third.error()), (since, &error("full again")));
        assert_eq!(third.retry_at(), now + LOG_AGAIN + RETRY);
    }
}
