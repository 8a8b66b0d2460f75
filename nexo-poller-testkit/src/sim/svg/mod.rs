//! A history as a drawing: a lane for each job, in its own local time.

mod axis;
mod lane;
mod marks;

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use nexo_poller::store::UnixMs;

use self::lane::Lane;
use super::history::History;
use super::local::format;

/// The drawing's width, in pixels; the lanes begin and end this far from its edges.
const WIDTH: f64 = 1000.0;
const EDGE: f64 = 24.0;
/// A lane's height, its title and its scale included.
const LANE: f64 = 104.0;
/// The height of the part above a lane's line where its ticks are.
const BAND: f64 = 46.0;
/// Above the first lane.
const HEAD: f64 = 44.0;
/// Below the last one: the legend.
const FOOT: f64 = 40.0;
/// Jobs beyond these are left out.
const MOST_JOBS: usize = 20;

const LEGEND: [(&str, &str); 6] = [
    (marks::OK, "on time"),
    (marks::MENDED, "retry, late or catch-up"),
    (marks::TRANSIENT, "failed, to be retried"),
    (marks::PERMANENT, "paused, died or void"),
    (marks::TROUBLE, "trouble"),
    (marks::DOWN, "no runner"),
];

impl History {
    /// The history as an SVG drawing: a lane for each job (the first 20), in the local time of its zone, with its ticks,
    /// what it skipped, when its sources were in trouble, when no runner was up, and where its clocks change.
    ///
    /// ```
    /// use nexo_poller::runner::{JobSpec, Schedule};
    /// use nexo_poller_testkit::sim::{Simulation, hours};
    ///
    /// let hourly = Schedule::cron("0 0 * * * *", Some("Europe/Berlin"))?;
    /// let sim = Simulation::new(1).start_at("2026-03-28T20:00:00Z");
    /// let history = sim.job(JobSpec::new("hourly", "source", "ana", hourly)).run_for(hours(12));
    ///
    /// let drawing = history.to_svg(); // std::fs::write("dst.svg", &drawing)
    /// assert!(drawing.contains("02:00 → 03:00"));
    /// # Ok::<(), nexo_poller::runner::ScheduleError>(())
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        let count = self.jobs.len().min(MOST_JOBS);
        let height = HEAD + LANE * f64::from(u8::try_from(count).unwrap_or(u8::MAX)) + FOOT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" style=\"max-width:100%;height:auto\" \
             role=\"img\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        let from = format(&TimeZone::UTC, self.start, "%Y-%m-%d %H:%M");
        let until = format(&TimeZone::UTC, self.start.plus(self.length), "%Y-%m-%d %H:%M");
        let title = format!("{from} to {until} UTC, seed {}", self.seed);
        text(&mut svg, (EDGE, 26.0), "font-size=\"15\" fill=\"#1f2430\"", &title);
        for number in 0..count {
            let top = HEAD + LANE * f64::from(u8::try_from(number).unwrap_or(u8::MAX));
            Lane::new(self, number, top).draw(&mut svg);
        }
        let mut x = EDGE;
        for (color, words) in LEGEND {
            // Writing into a String does not fail.
            let y = height - 22.0;
            let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"11\" height=\"11\" rx=\"2\" fill=\"{color}\"/>");
            text(&mut svg, (x + 16.0, y + 10.0), "fill=\"#4b5263\"", words);
            x += 46.0 + 6.4 * f64::from(u8::try_from(words.len()).unwrap_or(u8::MAX));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Where an instant of the wall clock lies from left to right; `None` outside.
    fn x_of(&self, at: UnixMs) -> Option<f64> {
        let inside = at >= self.start && at <= self.start.plus(self.length);
        let share = at.since(self.start).as_secs_f64() / self.length.as_secs_f64().max(0.001);
        inside.then(|| ((EDGE + share * (WIDTH - 2.0 * EDGE)) * 10.0).round() / 10.0)
    }
}

/// Words at a place.
fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let words = escape(words);
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {attributes}>{words}</text>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
