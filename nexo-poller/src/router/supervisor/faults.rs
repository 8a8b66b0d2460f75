use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rate::{RateLimit, Verdict};
use crate::broker::stdio::BridgeObserver;
use crate::contract::one_line::cut;
use crate::router::InFlight;
use crate::wire::Event;

/// The most that is told and kept of why a message was lost, in bytes.
const LONGEST_REASON: usize = 1_000;

/// Counts what the processes of one plugin do wrong, and logs it at a rate that a person can read.
pub(in crate::router) struct FaultLog {
    pub(super) bad_lines: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    limit: Mutex<RateLimit>,
}

impl Default for FaultLog {
    fn default() -> Self {
        Self {
            bad_lines: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            limit: Mutex::new(RateLimit::new(5, Duration::from_secs(60))),
        }
    }
}

impl FaultLog {
    pub(in crate::router) fn bad_line(&self, plugin: &str, what: &str) {
        self.bad_lines.fetch_add(1, Ordering::Relaxed);
        self.warn(
            plugin,
            format_args!("{what} on the plugin's stdout was skipped: stdout is for the protocol, logs go to stderr"),
        );
    }

    pub(in crate::router) fn not_allowed(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::router) fn not_reading(&self, plugin: &str, topic: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.warn(plugin, format_args!("a message on `{topic}` was dropped: the plugin does not read its stdin"));
    }

    /// `ticks`: those that are repeated because of it. Returns as much of `why` as may be kept for them: a topic in it may be as long
    /// as a line.
    pub(in crate::router) fn lost<'w>(&self, plugin: &str, ticks: &str, why: &'w str) -> &'w str {
        let why = cut(why, LONGEST_REASON);
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.warn(plugin, format_args!("a message of the plugin was dropped, so {ticks} will be repeated: {why}"));
        why
    }

    /// A plugin that prints without end must not cost a sentence a line: what is held back is not even put into words.
    fn warn(&self, plugin: &str, sentence: fmt::Arguments<'_>) {
        let verdict = self.limit.lock().unwrap_or_else(PoisonError::into_inner).check(Instant::now());
        if let Verdict::Pass { held_back } = verdict {
            let more = if held_back == 0 { String::new() } else { format!(" ({held_back} more like this before)") };
            tracing::warn!(plugin, "{sentence}{more}");
        }
    }
}

/// What a long-lived plugin does wrong.
pub(super) struct Faults {
    pub(super) log: FaultLog,
    in_flight: InFlight,
}

impl Faults {
    pub(super) fn new(in_flight: InFlight) -> Self {
        Self { log: FaultLog::default(), in_flight }
    }
}

impl BridgeObserver for Faults {
    fn bad_line(&self, plugin: &str, what: &str) {
        self.log.bad_line(plugin, what);
    }

    fn not_allowed(&self, _: &str, _: &str, _: &[String]) {
        self.log.not_allowed();
    }

    fn not_reading(&self, plugin: &str, topic: &str) {
        self.log.not_reading(plugin, topic);
    }

    fn lost(&self, plugin: &str, why: &str) {
        let why = self.log.lost(plugin, "its running ticks", why);
        self.in_flight.lose(plugin, why);
    }

    fn lost_message(&self, plugin: &str, message: &Event, why: &str) {
        let why = cut(why, LONGEST_REASON);
        let Some(job) = self.in_flight.lose_message(plugin, message, why) else { return self.lost(plugin, why) };
        self.log.lost(plugin, &format!("the tick of job `{job}`"), why);
    }
}
