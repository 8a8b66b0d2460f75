use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What the framework remembers until a tick ends, so that it does not ask the host the same thing for each message. Whoever
/// makes a [`PollContext`](super::PollContext) gives it a fresh one (`TickMemory::default()`); clones share it.
#[derive(Clone, Default)]
pub struct TickMemory {
    /// The topic of each channel that was delivered on.
    topics: Arc<Mutex<HashMap<String, String>>>,
}

impl TickMemory {
    pub(super) fn topic(&self, channel: &str) -> Option<String> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(channel).cloned()
    }

    pub(super) fn keep_topic(&self, channel: &str, topic: &str) {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.to_owned(), topic.to_owned());
    }
}

/// Shows nothing of it: a topic holds an account's id.
impl fmt::Debug for TickMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickMemory").finish_non_exhaustive()
    }
}
