use std::fmt::Write as _;

use nexo_poller::store::UnixMs;

use crate::sim::history::History;

/// The drawing's width, in pixels; the lanes begin and end this far from its edges.
pub(super) const WIDTH: f64 = 1000.0;
pub(super) const EDGE: f64 = 24.0;
/// A lane's height, its title and its scale included.
pub(super) const LANE: f64 = 104.0;
/// The height of the part above a lane's line where its ticks are.
pub(super) const BAND: f64 = 46.0;

impl History {
    /// Where an instant of the wall clock lies from left to right; `None` outside.
    pub(super) fn x_of(&self, at: UnixMs) -> Option<f64> {
        let inside = at >= self.start && at <= self.start.plus(self.length);
        let share = at.since(self.start).as_secs_f64() / self.length.as_secs_f64().max(0.001);
        inside.then(|| ((EDGE + share * (WIDTH - 2.0 * EDGE)) * 10.0).round() / 10.0)
    }
}

/// Words at a place.
pub(super) fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let words = escape(words);
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {attributes}>{words}</text>");
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
