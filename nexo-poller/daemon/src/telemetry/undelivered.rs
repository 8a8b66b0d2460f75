use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// Between two warnings about one topic.
const SILENCE: Duration = Duration::from_secs(60);
/// Topics that are remembered; beyond, the oldest are forgotten, which costs a warning at most.
const MOST_TOPICS: usize = 1_000;

/// Messages to channels that nobody listens to: counted, and warned about once per topic and minute.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    count: AtomicU64,
    /// By a hash of the topic: a topic may be long.
    warned: Mutex<HashMap<u64, Instant>>,
    hashes: RandomState,
}

impl Undelivered {
    /// A message on `topic` reached nobody.
    pub(crate) fn note(&self, topic: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.is_due(topic, Instant::now()) {
            tracing::warn!(
                topic,
                "nobody listens: the message is lost; is the channel's plugin running, and its name spelled right?"
            );
        }
    }

    /// How many messages reached nobody.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds the counter as it stands.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Messages to channels that nobody listens to";
        registry.register("poller_outbound_unheard", help, ConstCounter::new(self.count()));
    }

    fn is_due(&self, topic: &str, now: Instant) -> bool {
        let topic = self.hashes.hash_one(topic);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.get(&topic).is_some_and(|last| now.duration_since(*last) < SILENCE) {
            return false;
        }
        if warned.len() >= MOST_TOPICS {
            warned.retain(|_, last| now.duration_since(*last) < SILENCE);
            if warned.len() >= MOST_TOPICS {
                warned.clear();
            }
        }
        warned.insert(topic, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_warned_about_once_a_minute() {
        let undelivered = Undelivered::default();
        let start = Instant::now();
        assert!(undelivered.is_due("a", start));
        assert!(!undelivered.is_due("a", start + Duration::from_secs(59)));
        assert!(undelivered.is_due("b", start + Duration::from_secs(59)));
        assert!(undelivered.is_due("a", start + Duration::from_secs(60)));
    }

    #[test]
    fn topics_are_remembered_within_bounds() {
        let undelivered = Undelivered::default();
        let now = Instant::now();
        for topic in 0..MOST_TOPICS * 3 {
            undelivered.is_due(&topic.to_string(), now);
        }
        assert!(undelivered.warned.lock().unwrap().len() <= MOST_TOPICS);
    }
}
