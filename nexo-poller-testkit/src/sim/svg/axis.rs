//! The scale under a lane, in local time.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nexo_poller::store::UnixMs;

use super::sheet::{self, text};
use crate::sim::History;
use crate::sim::local::format;

/// The distances that a scale may have, in seconds.
const STEPS: [u64; 13] =
    [10, 60, 300, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400];
/// A scale has at most so many labels.
const MOST_LABELS: u64 = 13;

/// Draws the line of a lane at `y`, with labels below it.
pub(super) fn draw(history: &History, zone: &TimeZone, y: f64, svg: &mut String) {
    let (left, right) = (sheet::EDGE, sheet::WIDTH - sheet::EDGE);
    let _ = writeln!(svg, "<line x1=\"{left}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#aab0bd\"/>");
    let length = history.length.as_secs();
    let step = STEPS.into_iter().find(|step| length / step <= MOST_LABELS).unwrap_or(length / MOST_LABELS).max(1);
    let mut day = String::new();
    let mut at = first(history.start, zone, step);
    while at <= history.start.plus(history.length) {
        if let Some(x) = history.x_of(at) {
            let _ = writeln!(svg, "<line x1=\"{x}\" y1=\"{y}\" x2=\"{x}\" y2=\"{}\" stroke=\"#aab0bd\"/>", y + 4.0);
            let today = format(zone, at, "%-d %b");
            let clock = if step < 60 { "%H:%M:%S" } else { "%H:%M" };
            if step < 86_400 {
                label(svg, (x, y + 16.0), &format(zone, at, clock));
            }
            if today != day {
                label(svg, (x, y + if step < 86_400 { 28.0 } else { 16.0 }), &today);
                day = today;
            }
        }
        at = at.plus(Duration::from_secs(step));
    }
}

fn label(svg: &mut String, (x, y): (f64, f64), words: &str) {
    let anchor = match x {
        _ if x < sheet::EDGE + 20.0 => "start",
        _ if x > sheet::WIDTH - sheet::EDGE - 20.0 => "end",
        _ => "middle",
    };
    let attributes = format!("font-size=\"10\" fill=\"#6b7280\" text-anchor=\"{anchor}\"");
    text(svg, (x, y), &attributes, words);
}

/// The first instant whose local time is a multiple of `step`, as the clocks are at the start. After a clock change the
/// labels go on in elapsed time, so that the hour that is left out, or comes twice, can be seen.
fn first(start: UnixMs, zone: &TimeZone, step: u64) -> UnixMs {
    let offset = Timestamp::from_millisecond(start.0).map_or(0, |at| zone.to_offset(at).seconds());
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let local = start.0.div_euclid(1000) + i64::from(offset);
    let next = local.div_euclid(step).saturating_add(i64::from(local.rem_euclid(step) > 0)).saturating_mul(step);
    UnixMs(next.saturating_sub(i64::from(offset)).saturating_mul(1000))
}
