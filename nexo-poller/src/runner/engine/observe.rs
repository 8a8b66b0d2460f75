//! Telling the observer, where there is one.

use super::core::Engine;
use super::flight::TickStart;
use super::index::JobIndex;
use super::pending::{PendingChange, PendingCommit};
use crate::runner::observe::{RunnerEvent, RunnerEventKind};
use crate::runner::policy::{Finished, Outcome};
use crate::store::{RunOutcome, UnixMs};

impl Engine {
    pub(super) fn observe(&self, index: JobIndex, what: RunnerEventKind<'_>) {
        if let Some(observer) = &self.options.observer {
            let job = self.jobs.get(index).map(|job| &*job.id);
            observer.observe(&RunnerEvent { at: self.clock.now(), job, what });
        }
    }

    pub(super) fn observe_clock(&self, by_ms: i64) {
        if let Some(observer) = &self.options.observer {
            let what = RunnerEventKind::ClockSet { by_ms };
            observer.observe(&RunnerEvent { at: self.clock.now(), job: None, what });
        }
    }

    pub(super) fn observe_start(&self, start: &TickStart, due: UnixMs, attempt: u32, manual: bool) {
        self.observe(start.job, RunnerEventKind::Started { run_key: start.scheduled_at, due, attempt, manual });
    }

    pub(super) fn observe_end(&self, pending: &PendingCommit, outcome: RunOutcome, error: Option<&str>) {
        let Some(job) = self.jobs.get(pending.job) else { return };
        let asked = match &pending.outcome {
            Outcome::Ok { hint, .. } => *hint,
            Outcome::Failed { retry_after, .. } => *retry_after,
        };
        let Finished { skipped_overlap, skipped_misfire, .. } = pending.finished;
        let run_key = pending.run.scheduled_at;
        let state = &job.state;
        let what = RunnerEventKind::Ended { run_key, outcome, error, asked, skipped_overlap, skipped_misfire, state };
        self.observe(pending.job, what);
    }

    pub(super) fn observe_change(&self, pending: &PendingChange) {
        if let Some(job) = self.jobs.get(pending.job) {
            let what = RunnerEventKind::Changed { change: &pending.request.change, state: &job.state };
            self.observe(pending.job, what);
        }
    }

    pub(super) fn observe_void(&self, index: JobIndex, run_key: UnixMs, reason: &'static str) {
        self.observe(index, RunnerEventKind::Void { run_key, reason });
    }
}
