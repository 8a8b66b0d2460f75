//! A history as a timeline of text, job by job, in each job's local time.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use nexo_poller::store::{PauseCause, UnixMs};

use super::history::{Cause, End, Entry, History, RetryReason, Run, SimulatedJob, SkipReason, What};
use super::local::{ClockChange, clock_changes, format, local};

/// Jobs beyond these are only counted.
const MOST_JOBS: usize = 20;
/// Of so many runs in a row that are alike, only the first and the last are shown.
const ALIKE: usize = 5;
/// Two runners that reach for one job within this reach for it at once.
const CLOSE: Duration = Duration::from_secs(5);

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.length.as_secs() / 3600;
        let length = match (hours / 24, hours % 24, self.length.as_secs()) {
            (days, 0, _) if days > 0 => format!("{days} d"),
            (0, 0, secs) => format!("{} min", secs / 60),
            (days, hours, _) => format!("{} h", days * 24 + hours),
        };
        let from = format(&TimeZone::UTC, self.start, "%Y-%m-%dT%H:%M:%SZ");
        write!(f, "simulation, seed {}: {length} from {from}", self.seed)?;
        if self.runners > 1 {
            write!(f, ", {} runners", self.runners)?;
        }
        for broken in &self.broken {
            write!(f, "\nBROKEN by job `{}` at {}: {}", broken.job, broken.at, broken.rule)?;
        }
        for (number, job) in self.jobs.iter().enumerate().take(MOST_JOBS) {
            Lane { history: self, job, number, zone: job.time_zone() }.fmt(f)?;
        }
        if self.jobs.len() > MOST_JOBS {
            write!(f, "\n\nand {} jobs more", self.jobs.len() - MOST_JOBS)?;
        }
        Ok(())
    }
}

/// One job's part.
struct Lane<'a> {
    history: &'a History,
    job: &'a SimulatedJob,
    number: usize,
    zone: TimeZone,
}

impl Lane<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n\n{}  {}", self.job.id, self.job.schedule)?;
        let end = self.history.start.plus(self.history.length);
        let mut changes = clock_changes(&self.zone, self.history.start, end).into_iter().peekable();
        let mine = |entry: &&Entry| entry.job.index().is_none_or(|number| number == self.number);
        let entries: Vec<&Entry> = self.history.entries.iter().filter(mine).collect();
        let mut rows: Vec<Row> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            while let Some(change) = changes.next_if(|change| change.at <= entry.at) {
                rows.push(Row::of_change(&change));
            }
            match entry.what {
                What::Held { .. } if held_by_one_that_runs(&entries, place) => {}
                What::Retry { due, why, failures } => self.add_retry(&mut rows, entry, (due, why, failures)),
                _ => rows.push(self.row(entry)),
            }
        }
        rows.extend(changes.map(|change| Row::of_change(&change)));
        let mut rest = rows.as_slice();
        while let Some(first) = rest.first() {
            let alike = rest.iter().take_while(|row| row.alike.is_some() && row.alike == first.alike).count();
            if alike >= ALIKE {
                write!(f, "\n  {first}\n  {:26}  … {} more like it …\n  {}", "", alike - 2, rest[alike - 1])?;
                rest = &rest[alike..];
            } else {
                write!(f, "\n  {first}")?;
                rest = &rest[1..];
            }
        }
        Ok(())
    }

    fn row(&self, entry: &Entry) -> Row {
        let runner = if self.history.runners > 1 && entry.runner > 0 { entry.runner } else { 0 };
        let mut text = match entry.what {
            What::Ran(run) => self.ran(&run),
            What::Retry { due, why, failures } => self.retry(due, why, failures).0,
            What::Skipped { count, why } => skipped(count, why),
            What::Paused { cause, reason } => format!("paused{}: {}", by(cause), self.history.text(reason)),
            What::Resumed => "resumed by an operator".to_owned(),
            What::Reset => "reset by an operator".to_owned(),
            What::Held { until } => format!("due, but another runner holds its lease until {}", self.time(until)),
            What::TookOver => "the lease of a runner that is gone was taken over".to_owned(),
            What::RunnerStarted => "-- the runner starts".to_owned(),
            What::RunnerStopped => "-- the runner is stopped".to_owned(),
            What::RunnerCrashed => "-- the runner dies".to_owned(),
            What::ClockSet { by_ms } => {
                let way = if by_ms < 0 { "back" } else { "forward" };
                format!("-- the wall clock is set {way} by {}", span(by_ms.unsigned_abs()))
            }
            What::TroubleBegan(what) => format!("-- from now on: {}", self.history.text(what)),
            What::TroubleEnded(what) => format!("-- no longer: {}", self.history.text(what)),
        };
        if runner > 0 {
            text = text.replacen("-- the runner", &format!("-- runner {runner}"), 1);
            if !text.starts_with("--") {
                text = format!("[{runner}] {text}");
            }
        }
        let boring = matches!(entry.what, What::Ran(run) if run.end == End::Ok && run.cause == Cause::OnTime);
        let alike = boring.then(|| text.clone());
        let failure = matches!(entry.what, What::Ran(run) if run.end == End::Transient);
        Row { at: local(&self.zone, entry.at), text, alike, failure }
    }

    fn ran(&self, run: &Run) -> String {
        let mut text = match run.end {
            End::Running => "still runs".to_owned(),
            End::Ok => "ok".to_owned(),
            End::Transient => "failed".to_owned(),
            End::Permanent => "failed for good".to_owned(),
            End::Config => "its config was refused".to_owned(),
            End::Void => "void".to_owned(),
            End::Died => "died with its runner".to_owned(),
        };
        if run.took_ms >= 1000 {
            text.push_str(&format!(" after {}", span(u64::from(run.took_ms))));
        }
        let slot = || self.time(run.slot);
        match run.cause {
            Cause::OnTime => {}
            Cause::Late => text.push_str(&format!(", late for the slot {}", slot())),
            Cause::CatchUp => text.push_str(&format!(", a catch-up of the slot {}", slot())),
            Cause::Retry => text.push_str(&format!(", a retry of the slot {}", slot())),
            Cause::Asked => text.push_str(", when the tick before had asked for it"),
            Cause::ByHand => text.push_str(", by hand"),
        }
        let message = self.history.text(run.message);
        if !message.is_empty() {
            text.push_str(&format!(": {message}"));
        }
        text
    }

    /// What follows from a failure stands on its line.
    fn add_retry(&self, rows: &mut Vec<Row>, entry: &Entry, (due, why, failures): (UnixMs, RetryReason, u32)) {
        let (text, kind) = self.retry(due, why, failures);
        match rows.last_mut().filter(|row| row.failure) {
            Some(row) => {
                row.alike = Some(format!("{} {kind}", row.text.split(',').next().unwrap_or_default()));
                row.text.push_str(&format!("; {text}"));
                row.failure = false;
            }
            None => rows.push(Row { text, ..self.row(entry) }),
        }
    }

    fn retry(&self, due: UnixMs, why: RetryReason, failures: u32) -> (String, &'static str) {
        let due = self.time(due);
        match why {
            RetryReason::Backoff => (format!("retry at {due} (failure {failures})"), "retry"),
            RetryReason::RetryAfter => (format!("retry at {due}, as the source asked"), "asked"),
            RetryReason::Breaker => (format!("probe at {due} (the breaker is open, failure {failures})"), "probe"),
        }
    }

    fn time(&self, at: UnixMs) -> String {
        format(&self.zone, at, "%H:%M:%S")
    }
}

/// One line.
struct Row {
    at: String,
    text: String,
    /// Rows in a row that have the same here are alike.
    alike: Option<String>,
    /// A failure, to whose line is added what follows from it.
    failure: bool,
}

impl Row {
    fn of_change(change: &ClockChange) -> Self {
        let way = if change.forward { "forward" } else { "back" };
        Self {
            at: change.from.clone(),
            text: format!("-- clocks go {way} to {}", change.to),
            alike: None,
            failure: false,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.at, self.text)
    }
}

/// Of two runners that reach for a job at once, one is told that the other has it; nothing is wrong with that.
fn held_by_one_that_runs(entries: &[&Entry], place: usize) -> bool {
    let at = entries[place].at;
    let near = |entry: &&&Entry| entry.at.since(at).max(at.since(entry.at)) < CLOSE;
    let around = entries[..place].iter().rev().take_while(near).chain(entries[place..].iter().take_while(near));
    around.clone().any(|entry| matches!(entry.what, What::Ran(_)))
}

fn skipped(count: u32, why: SkipReason) -> String {
    let slots = if count == 1 { "1 slot".to_owned() } else { format!("{count} slots") };
    match why {
        SkipReason::Overlap => format!("skipped {slots}: the run before still ran"),
        SkipReason::Missed => format!("skipped {slots}: missed, one run stood for them"),
        SkipReason::LeftOut => format!("skipped {slots}: missed, and `catch_up: skip` leaves them out"),
    }
}

fn by(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Operator => " by an operator",
        PauseCause::OnBoot => " on boot",
        PauseCause::Permanent => "",
        PauseCause::Config => " until its config is mended",
    }
}

/// `1 h 30 min`, `1 min 5 s`, `1.5 s`.
fn span(ms: u64) -> String {
    if ms < 60_000 && !ms.is_multiple_of(1000) {
        return format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    }
    let secs = ms / 1000;
    let parts = [(secs / 3600, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}
