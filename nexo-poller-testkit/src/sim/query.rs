use std::time::Duration;

use nexo_poller::store::UnixMs;

use super::history::{Broken, Cause, End, Entry, History, Run, SimulatedJob, Text, What};
use super::local::local;

/// One tick with the instant at which it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Firing {
    /// When it started, by the wall clock.
    pub started: UnixMs,
    /// The runner, counted from one.
    pub runner: u8,
    /// The rest.
    pub run: Run,
}

impl History {
    /// The seed that it was made with.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The simulated jobs.
    #[must_use]
    pub fn jobs(&self) -> &[SimulatedJob] {
        &self.jobs
    }

    /// Everything that happened, in its order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The job that `entry` concerns; `None` where it concerns all of them.
    #[must_use]
    pub fn job_of(&self, entry: &Entry) -> Option<&str> {
        Some(self.jobs.get(entry.job.index()?)?.id.as_str())
    }

    /// A text that an entry refers to; empty where there is none.
    #[must_use]
    pub fn text(&self, text: Text) -> &str {
        text.index().and_then(|index| self.texts.get(index)).map_or("", String::as_str)
    }

    /// The ticks of `job`, by their start.
    ///
    /// # Panics
    /// Where there is no such job.
    #[track_caller]
    pub fn firings(&self, job: &str) -> impl Iterator<Item = Firing> + '_ {
        self.of(job).filter_map(|entry| match entry.what {
            What::Ran(run) => Some(Firing { started: entry.at, runner: entry.runner, run }),
            _ => None,
        })
    }

    /// The ticks of `job` that ended as `end`.
    ///
    /// # Panics
    /// Where there is no such job.
    #[track_caller]
    pub fn ended(&self, job: &str, end: End) -> usize {
        self.firings(job).filter(|firing| firing.run.end == end).count()
    }

    /// The ticks of `job` that started because of `cause`.
    ///
    /// # Panics
    /// Where there is no such job.
    #[track_caller]
    pub fn caused(&self, job: &str, cause: Cause) -> usize {
        self.firings(job).filter(|firing| firing.run.cause == cause).count()
    }

    /// How many slots of `job` came and went without a run.
    ///
    /// # Panics
    /// Where there is no such job.
    #[must_use]
    #[track_caller]
    pub fn skipped(&self, job: &str) -> u32 {
        let skipped = self.of(job).filter_map(|entry| match entry.what {
            What::Skipped { count, .. } => Some(count),
            _ => None,
        });
        skipped.sum()
    }

    /// Everything that concerns `job` and no other.
    ///
    /// # Panics
    /// Where there is no such job.
    #[track_caller]
    pub fn of(&self, job: &str) -> impl Iterator<Item = &Entry> + '_ {
        let number = self.number_of(job);
        self.entries.iter().filter(move |entry| entry.job.index() == Some(number))
    }

    /// The slots of the runs of `job` that succeeded, in its local time: `2026-03-29 03:00:00 +02:00`. A slot is the
    /// instant that the schedule names; the run starts up to its jitter later.
    ///
    /// # Panics
    /// Where there is no such job.
    #[must_use]
    #[track_caller]
    pub fn local_slots(&self, job: &str) -> Vec<String> {
        let zone = self.jobs.iter().find(|known| known.id == job).map(SimulatedJob::time_zone);
        let done = self.firings(job).filter(|firing| firing.run.end == End::Ok);
        done.map(|firing| zone.as_ref().map_or_else(String::new, |zone| local(zone, firing.run.slot))).collect()
    }

    /// The rules that the runner broke. There should be none.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// The part between two instants of the wall clock, to print a day of a month.
    #[must_use]
    pub fn between(&self, from: UnixMs, until: UnixMs) -> Self {
        let entries = self.entries.iter().filter(|entry| (from..until).contains(&entry.at)).copied().collect();
        Self { start: from, length: until.since(from), entries, ..self.clone_without_entries() }
    }

    /// The part within `around` of an instant, given as in `2026-03-29T01:00:00Z`.
    ///
    /// # Panics
    /// Where `instant` is none.
    #[must_use]
    #[track_caller]
    pub fn around(&self, instant: &str, around: Duration) -> Self {
        let at = UnixMs::from(crate::clock::read_time(instant));
        self.between(at.minus(around), at.plus(around))
    }

    /// The part that concerns `job`, or all jobs.
    ///
    /// # Panics
    /// Where there is no such job.
    #[must_use]
    #[track_caller]
    pub fn only(&self, job: &str) -> Self {
        let number = self.number_of(job);
        let mine = self.entries.iter().filter(|entry| entry.job.index().is_none_or(|of| of == number));
        let entries = mine.map(|entry| Entry { job: entry.job.alone(), ..*entry }).collect();
        let jobs = self.jobs.iter().filter(|known| known.id == job).cloned().collect();
        let broken = self.broken.iter().filter(|broken| broken.job == job).cloned().collect();
        Self { entries, jobs, broken, ..self.clone_without_entries() }
    }

    #[track_caller]
    fn number_of(&self, job: &str) -> usize {
        self.jobs.iter().position(|known| known.id == job).unwrap_or_else(|| {
            let known: Vec<&str> = self.jobs.iter().map(|job| job.id.as_str()).collect();
            panic!("there is no job `{job}` in this history; there are: {}", known.join(", "))
        })
    }

    fn clone_without_entries(&self) -> Self {
        Self {
            entries: Vec::new(),
            jobs: self.jobs.clone(),
            texts: self.texts.clone(),
            broken: self.broken.clone(),
            ..*self
        }
    }
}
