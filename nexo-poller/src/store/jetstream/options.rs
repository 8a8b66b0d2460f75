use std::sync::Arc;
use std::time::Duration;

use crate::store::{Clock, SteadyClock};

/// How a [`JetStreamStore`](super::JetStreamStore) keeps job state.
#[derive(Clone)]
#[non_exhaustive]
pub struct JetStreamOptions {
    /// The bucket's name: letters, digits, `-` and `_`. Daemons with the same bucket share their jobs.
    pub bucket: String,
    /// Entries of each job that are kept, 1 to 64, for an operator who wants to look back at cursors. A tick writes two:
    /// the claim and the outcome. Used where the bucket is made.
    pub history: u8,
    /// Copies of each entry on servers of a cluster: 1, 3 or 5. Used where the bucket is made.
    pub replicas: usize,
    /// A write that is not answered within this has failed, though it may still arrive. Well under a third of the
    /// shortest lease.
    pub timeout: Duration,
    /// Measures how long a lease was seen unchanged: only differences of its readings count.
    pub clock: Arc<dyn Clock>,
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self {
            bucket: "nexo-poller".to_owned(),
            history: 10,
            replicas: 1,
            timeout: Duration::from_secs(5),
            clock: Arc::new(SteadyClock::default()),
        }
    }
}

impl JetStreamOptions {
    /// The same with another bucket.
    #[must_use]
    pub fn with_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// The same with another depth of history.
    #[must_use]
    pub fn with_history(mut self, history: u8) -> Self {
        self.history = history;
        self
    }

    /// The same with more copies.
    #[must_use]
    pub fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl std::fmt::Debug for JetStreamOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JetStreamOptions")
            .field("bucket", &self.bucket)
            .field("history", &self.history)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
