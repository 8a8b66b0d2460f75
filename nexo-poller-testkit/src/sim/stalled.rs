//! Jobs that do not run although nothing is in their way.

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::runner::JobSpec;
use nexo_poller::store::{JobState, UnixMs};

use super::history::{Broken, Entry, JobNumber, What};

/// A job that is due runs within this, in a world without trouble: the longest lease of a dead runner, and a little.
const PATIENCE: Duration = Duration::from_secs(600);
/// Whatever went wrong, a job of intervals runs within this, or within its interval: the longest that a source may make it
/// wait, jitter, and [`PATIENCE`].
const LONGEST_WAIT: Duration = Duration::from_secs(3600 + 360 + 600);

/// A world at its end.
pub(super) struct AtTheEnd<'a> {
    pub(super) jobs: &'a [JobSpec],
    pub(super) states: &'a [(Arc<str>, JobState)],
    pub(super) entries: &'a [Entry],
    pub(super) start: UnixMs,
    pub(super) length: Duration,
    pub(super) now: UnixMs,
}

impl AtTheEnd<'_> {
    /// Jobs that are due for long, as it is stored, and not paused.
    pub(super) fn overdue(&self) -> Vec<Broken> {
        let well_since =
            self.entries.iter().rev().find(|entry| is_of_the_world(entry)).map_or(self.now, |last| last.at);
        if self.is_in_trouble() || self.now.since(well_since) < PATIENCE {
            return Vec::new();
        }
        let overdue = self.states.iter().filter_map(|(job, state)| {
            let due = state.next.filter(|_| state.pause.is_none())?.due;
            let rule = format!("no job stops in silence, but this one is due since {due} and did not run");
            (self.now.since(due.max(well_since)) > PATIENCE).then(|| self.broken(job, rule))
        });
        overdue.collect()
    }

    /// Jobs of intervals that did not run for longer than anything justifies, set clocks included. Only for sources that do
    /// not choose by themselves when they are asked again.
    pub(super) fn put_off(&self) -> Vec<Broken> {
        if self.is_in_trouble() {
            return Vec::new();
        }
        let mut quiet_since = vec![Duration::ZERO; self.jobs.len()];
        let mut set_by: i64 = 0;
        for entry in self.entries {
            if let What::ClockSet { by_ms } = entry.what {
                set_by = set_by.saturating_add(by_ms);
                continue;
            }
            let elapsed = UnixMs(entry.at.0.saturating_sub(set_by)).since(self.start);
            match entry.job.index() {
                Some(job) => quiet_since[job] = elapsed,
                None if is_of_the_world(entry) => quiet_since.fill(elapsed),
                None => {}
            }
        }
        let put_off = self.jobs.iter().zip(quiet_since).filter_map(|(job, since)| {
            let state = self.states.iter().find(|(id, _)| **id == *job.id).map(|(_, state)| state)?;
            let slots = job.schedule.firings_after(self.now, 2, &job.id);
            let interval = slots.get(1)?.since(*slots.first()?);
            let quiet = self.length.saturating_sub(since);
            let free = state.pause.is_none() && job.schedule.time_zone().is_none();
            let rule = format!("no job is put off without end, but this one did not run for {} s", quiet.as_secs());
            (free && quiet > LONGEST_WAIT.max(interval + PATIENCE)).then(|| self.broken(&job.id, rule))
        });
        put_off.collect()
    }

    /// Whether some trouble goes on, or a runner is down.
    fn is_in_trouble(&self) -> bool {
        let (mut trouble, mut runners) = (0, 0);
        for entry in self.entries {
            match entry.what {
                What::TroubleBegan(_) => trouble += 1,
                What::TroubleEnded(_) => trouble -= 1,
                What::RunnerStarted => runners -= 1,
                What::RunnerStopped | What::RunnerCrashed => runners += 1,
                _ => {}
            }
        }
        let all = self.entries.iter().filter(|entry| entry.what == What::RunnerStarted).map(|entry| entry.runner).max();
        trouble > 0 || runners > -i32::from(all.unwrap_or(0))
    }

    fn broken(&self, job: &str, rule: String) -> Broken {
        Broken { at: self.now, job: job.to_owned(), rule }
    }
}

fn is_of_the_world(entry: &Entry) -> bool {
    let of_one_job = entry.job != JobNumber::NONE;
    match entry.what {
        What::ClockSet { .. } | What::RunnerStarted | What::RunnerStopped | What::RunnerCrashed => true,
        What::TroubleEnded(_) => !of_one_job,
        _ => false,
    }
}
