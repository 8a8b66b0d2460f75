//! Local time, and the days on which clocks change.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nexo_poller::store::UnixMs;

use super::history::SimulatedJob;

/// The clocks of a zone change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClockChange {
    pub(super) at: UnixMs,
    /// `2026-03-29 02:00:00 +01:00`.
    pub(super) from: String,
    /// `03:00:00 +02:00`.
    pub(super) to: String,
    /// Forward, where a local time is left out; back, where one occurs twice.
    pub(super) forward: bool,
}

impl SimulatedJob {
    pub(super) fn time_zone(&self) -> TimeZone {
        // The schedule was made with it, so it is known.
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }
}

/// `2026-03-29 03:00:00 +02:00`.
pub(super) fn local(zone: &TimeZone, at: UnixMs) -> String {
    format(zone, at, "%Y-%m-%d %H:%M:%S %:z")
}

/// A local time in the words of `strftime`.
pub(super) fn format(zone: &TimeZone, at: UnixMs, format: &str) -> String {
    Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.to_string(), |at| at.to_zoned(zone.clone()).strftime(format).to_string())
}

/// The changes of a zone's clocks within a stretch of time.
pub(super) fn clock_changes(zone: &TimeZone, from: UnixMs, until: UnixMs) -> Vec<ClockChange> {
    let Ok(start) = Timestamp::from_millisecond(from.0) else { return Vec::new() };
    let mut changes = Vec::new();
    for change in zone.following(start).take_while(|change| change.timestamp().as_millisecond() < until.0) {
        let at = change.timestamp();
        let Ok(before) = Timestamp::from_second(at.as_second() - 1) else { continue };
        let old = zone.to_offset(before);
        // Some transitions only rename the zone.
        if old == change.offset() {
            continue;
        }
        let fixed = TimeZone::fixed(old);
        let at = UnixMs(at.as_millisecond());
        let forward = change.offset().seconds() > old.seconds();
        let (from, to) = (local(&fixed, at), format(zone, at, "%H:%M:%S %:z"));
        changes.push(ClockChange { at, from, to, forward });
    }
    changes
}
