//! Telling the observer, where there is one.

use super::Engine;
use super::outbox::{PendingCommit, PendingEdit};
use super::runs::RunningTick;
use crate::runner::policy::{Finished, Outcome};
use crate::runner::{RunnerEvent, RunnerEventKind};
use crate::store::{RunOutcome, UnixMs};

impl Engine {
    pub(super) fn observe(&self, slot: u32, what: RunnerEventKind<'_>) {
        if let Some(observer) = &self.options.observer {
            let job = self.job(slot).map(|job| &*job.id);
            observer.observe(&RunnerEvent { at: self.clock.now(), job, what });
        }
    }

    pub(super) fn observe_clock(&self, by_ms: i64) {
        if let Some(observer) = &self.options.observer {
            let what = RunnerEventKind::ClockSet { by_ms };
            observer.observe(&RunnerEvent { at: self.clock.now(), job: None, what });
        }
    }

    pub(super) fn observe_start(&self, tick: &RunningTick, due: UnixMs, attempt: u32) {
        let (run_key, manual) = (tick.scheduled_at, tick.manual);
        self.observe(tick.slot, RunnerEventKind::Started { run_key, due, attempt, manual });
    }

    pub(super) fn observe_end(&self, pending: &PendingCommit, outcome: RunOutcome, error: Option<&str>) {
        let Some(job) = self.job(pending.slot) else { return };
        let asked = match &pending.outcome {
            Outcome::Ok { hint, .. } => *hint,
            Outcome::Failed { retry_after, .. } => *retry_after,
        };
        let Finished { skipped_overlap, skipped_misfire, .. } = pending.finished;
        let run_key = pending.run.scheduled_at;
        let state = &job.state;
        let what = RunnerEventKind::Ended { run_key, outcome, error, asked, skipped_overlap, skipped_misfire, state };
        self.observe(pending.slot, what);
    }

    pub(super) fn observe_change(&self, pending: &PendingEdit) {
        if let Some(job) = self.job(pending.slot) {
            let what = RunnerEventKind::Changed { change: &pending.edit.change, state: &job.state };
            self.observe(pending.slot, what);
        }
    }

    pub(super) fn observe_void(&self, slot: u32, run_key: UnixMs, reason: &'static str) {
        self.observe(slot, RunnerEventKind::Void { run_key, reason });
    }
}
