//! A history as a drawing: a lane for each job, in its own local time.

mod axis;
mod lane;
mod marks;
mod sheet;

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use self::lane::Lane;
use self::sheet::{EDGE, LANE, WIDTH, text};
use super::history::History;
use super::local::format;

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
}
