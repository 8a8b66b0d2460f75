use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rate::{RateLimit, Verdict};
use crate::broker::stdio::BridgeObserver;
use crate::router::InFlight;

/// Counts what a plugin does wrong, and logs it at a rate that a person can read.
pub(super) struct Faults {
    pub(super) bad_lines: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    limit: Mutex<RateLimit>,
    in_flight: InFlight,
}

impl Faults {
    pub(super) fn new(in_flight: InFlight) -> Self {
        Self {
            bad_lines: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            limit: Mutex::new(RateLimit::new(5, Duration::from_secs(60))),
            in_flight,
        }
    }

    fn warn(&self, plugin: &str, sentence: &str) {
        let verdict = self.limit.lock().unwrap_or_else(PoisonError::into_inner).check(Instant::now());
        if let Verdict::Pass { held_back } = verdict {
            let more = if held_back == 0 { String::new() } else { format!(" ({held_back} more like this before)") };
            tracing::warn!(plugin, "{sentence}{more}");
        }
    }
}

impl BridgeObserver for Faults {
    fn bad_line(&self, plugin: &str, what: &str) {
        self.bad_lines.fetch_add(1, Ordering::Relaxed);
        self.warn(
            plugin,
            &format!("{what} on the plugin's stdout was skipped: stdout is for the protocol, logs go to stderr"),
        );
    }

    fn not_allowed(&self, _: &str, _: &str, _: &[String]) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn not_reading(&self, plugin: &str, topic: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.warn(plugin, &format!("a message on `{topic}` was dropped: the plugin does not read its stdin"));
    }

    fn lost(&self, plugin: &str, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.in_flight.lose(plugin, why);
        self.warn(
            plugin,
            &format!("a message of the plugin was dropped, so its running ticks will be repeated: {why}"),
        );
    }
}
