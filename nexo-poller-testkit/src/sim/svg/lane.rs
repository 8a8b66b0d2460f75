use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use nexo_poller::store::UnixMs;

use super::axis;
use super::marks::{self, Mark};
use super::sheet::{self, escape, text};
use crate::sim::History;
use crate::sim::history::{End, Entry, SimulatedJob, What};
use crate::sim::local::{clock_changes, format, local};

/// With more ticks than this, those that share a pixel are drawn as one bar.
const MOST_DOTS: usize = 260;

/// One job's part of the drawing.
pub(super) struct Lane<'a> {
    history: &'a History,
    job: &'a SimulatedJob,
    number: usize,
    zone: TimeZone,
    top: f64,
}

impl<'a> Lane<'a> {
    pub(super) fn new(history: &'a History, number: usize, top: f64) -> Self {
        let job = &history.jobs[number];
        Self { history, job, number, zone: job.time_zone(), top }
    }

    pub(super) fn draw(&self, svg: &mut String) {
        let title = format!("{}  {}", self.job.id, self.job.schedule);
        text(svg, (sheet::EDGE, self.top + 14.0), "font-weight=\"600\" fill=\"#1f2430\"", &title);
        self.bands(svg);
        axis::draw(self.history, &self.zone, self.line(), svg);
        self.clock_changes(svg);
        self.runs(svg);
        self.notes(svg);
    }

    /// Where the ticks are.
    fn line(&self) -> f64 {
        self.top + 22.0 + sheet::BAND
    }

    fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        let number = self.number;
        self.history.entries.iter().filter(move |entry| entry.job.index().is_none_or(|of| of == number))
    }

    /// Trouble, and stretches without a runner.
    fn bands(&self, svg: &mut String) {
        let end = self.history.start.plus(self.history.length);
        let mut open: Vec<(What, UnixMs)> = Vec::new();
        let (mut up, mut down_since) = (0_usize, None);
        for entry in self.entries() {
            match entry.what {
                What::TroubleBegan(_) => open.push((entry.what, entry.at)),
                What::TroubleEnded(name) => {
                    if let Some(index) = open.iter().position(|(what, _)| *what == What::TroubleBegan(name)) {
                        let (_, since) = open.remove(index);
                        self.band(svg, (since, entry.at), marks::TROUBLE, self.history.text(name));
                    }
                }
                What::RunnerStarted => {
                    up += 1;
                    if let Some(since) = down_since.take() {
                        self.band(svg, (since, entry.at), marks::DOWN, "no runner");
                    }
                }
                What::RunnerStopped | What::RunnerCrashed => {
                    up = up.saturating_sub(1);
                    down_since = (up == 0).then_some(entry.at);
                }
                _ => {}
            }
        }
        for (what, since) in open {
            if let What::TroubleBegan(name) = what {
                self.band(svg, (since, end), marks::TROUBLE, self.history.text(name));
            }
        }
        if let Some(since) = down_since {
            self.band(svg, (since, end), marks::DOWN, "no runner");
        }
    }

    fn band(&self, svg: &mut String, (from, until): (UnixMs, UnixMs), color: &str, words: &str) {
        let (Some(left), Some(right)) = (self.history.x_of(from), self.history.x_of(until)) else { return };
        let (y, width) = (self.line() - sheet::BAND, (right - left).max(1.0));
        let (words, height) = (escape(words), sheet::BAND);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{color}\"><title>{words}</title></rect>"
        );
    }

    fn clock_changes(&self, svg: &mut String) {
        let end = self.history.start.plus(self.history.length);
        for change in clock_changes(&self.zone, self.history.start, end) {
            let label = format!("{} → {}", &change.from[11..16], &change.to[..5]);
            self.upright(svg, change.at, "#7c3aed", &label);
        }
        for entry in self.entries() {
            if let What::ClockSet { by_ms } = entry.what {
                let sign = if by_ms < 0 { '−' } else { '+' };
                self.upright(svg, entry.at, "#6b7280", &format!("clock {sign}{} s", by_ms.unsigned_abs() / 1000));
            }
        }
    }

    fn upright(&self, svg: &mut String, at: UnixMs, color: &str, label: &str) {
        let Some(x) = self.history.x_of(at) else { return };
        let (from, until) = (self.line() - sheet::BAND, self.line() + 6.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{until}\" stroke=\"{color}\" stroke-dasharray=\"3 2\"/>"
        );
        let anchor = if x > sheet::WIDTH - 120.0 { "end" } else { "start" };
        let x = if anchor == "end" { x - 4.0 } else { x + 4.0 };
        let attributes = format!("font-size=\"10\" fill=\"{color}\" text-anchor=\"{anchor}\"");
        text(svg, (x, from + 9.0), &attributes, label);
    }

    fn runs(&self, svg: &mut String) {
        let runs: Vec<_> = self
            .entries()
            .filter_map(|entry| match entry.what {
                What::Ran(run) => Some((self.history.x_of(entry.at)?, entry.at, run)),
                _ => None,
            })
            .collect();
        if runs.len() > MOST_DOTS {
            return self.bars(svg, runs.iter().map(|(x, _, run)| (*x, Mark::of(run))));
        }
        for (x, at, run) in runs {
            let (y, color) = (self.line() - 9.0, Mark::of(&run).color());
            let mut words = format!("{} {}", local(&self.zone, at), end_in_words(run.end));
            let message = self.history.text(run.message);
            if !message.is_empty() {
                words.push_str(": ");
                words.push_str(message);
            }
            let words = escape(&words);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.4\" fill=\"{color}\" fill-opacity=\"0.85\"><title>{words}</title></circle>"
            );
        }
    }

    /// Of the ticks that share a pixel, the worst decides.
    fn bars(&self, svg: &mut String, runs: impl Iterator<Item = (f64, Mark)>) {
        let mut worst: BTreeMap<i32, Mark> = BTreeMap::new();
        for (x, mark) in runs {
            // Pixels are few: no f64 between 0 and the drawing's width is cut off.
            let column = worst.entry(x.round() as i32).or_insert(mark);
            *column = mark.max(*column);
        }
        let y = self.line() - 16.0;
        let mut columns = worst.into_iter().peekable();
        while let Some((x, mark)) = columns.next() {
            let mut width = 1;
            // Ticks that almost touch are one bar, or it would be striped.
            while let Some((next, _)) = columns.next_if(|(next, same)| *next <= x + width + 1 && *same == mark) {
                width = next - x + 1;
            }
            let color = mark.color();
            let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"14\" fill=\"{color}\"/>");
        }
    }

    /// Pauses, and slots without a run.
    fn notes(&self, svg: &mut String) {
        for entry in self.entries() {
            let words = match entry.what {
                What::Skipped { count, .. } => format!("{count} skipped"),
                What::Paused { .. } => "paused".to_owned(),
                What::Resumed => "resumed".to_owned(),
                What::Reset => "reset".to_owned(),
                _ => continue,
            };
            let Some(x) = self.history.x_of(entry.at) else { continue };
            let time = format(&self.zone, entry.at, "%H:%M:%S");
            let label = format!("<title>{time}</title>{}", escape(&words));
            let y = self.line() - 22.0;
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" font-size=\"9\" fill=\"#4b5263\" text-anchor=\"middle\">{label}</text>"
            );
        }
    }
}

fn end_in_words(end: End) -> &'static str {
    match end {
        End::Running => "still runs",
        End::Ok => "ok",
        End::Transient => "failed",
        End::Permanent => "failed for good",
        End::Config => "its config was refused",
        End::Void => "void",
        End::Died => "died with its runner",
    }
}
