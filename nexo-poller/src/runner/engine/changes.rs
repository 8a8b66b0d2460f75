//! Changes of jobs: operators', definitions', the runner's own.

use super::change::ChangeRequest;
use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::pending::PendingChange;
use super::queue::Place;
use crate::runner::error::RunnerError;
use crate::runner::policy::{self, Change};
use crate::store::{StoreError, WriteAnswer};

use tokio::time::Instant;

impl Engine {
    /// A change that somebody asks for by the job's id.
    pub(super) fn change_by_id(&mut self, id: &str, mut request: ChangeRequest) {
        match self.find(id) {
            Ok(index) => self.change(index, request),
            Err(error) => {
                request.answer(Err(error));
            }
        }
    }

    /// Starts a change of a job on its way to the store; one at a time for each job.
    pub(super) fn change(&mut self, index: JobIndex, request: ChangeRequest) {
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        let Some(request) = job.cold_mut().changes.start(request) else { return };
        let state = policy::edit(&job.rule(), &self.rules, job.state.clone(), &request.change, now);
        // A tick in flight started from a cursor that is no more: what it commits must not bring the old one back.
        let fence = matches!(request.change, Change::Reset | Change::SetCursor(_));
        let revision = job.stored.revision;
        self.outbox.change(PendingChange { job: index, revision, request, state, fence, skipped: 0 });
    }

    pub(super) fn change_answered(&mut self, mut pending: PendingChange, answer: WriteAnswer) {
        let index = pending.job;
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        match answer {
            WriteAnswer::Done { revision, epoch } => {
                let fenced = job.stored.epoch != epoch;
                job.stored.moved_on(revision, epoch);
                job.state.clone_from(&pending.state);
                let stage = job.stage;
                let keeps_turn = job.has_manual_run() || job.due().is_some_and(|due| due <= now);
                self.observe_change(&pending);
                self.count_skipped(index, pending.skipped, &pending.state);
                pending.request.answer(Ok(()));
                match self.queue.place(index) {
                    // It is due as before.
                    Place::Ready if keeps_turn => {}
                    Place::Ready => self.leave_line(index),
                    _ if stage == Stage::Waiting => self.schedule(index),
                    _ => {}
                }
                if let (true, Stage::Running(flight)) = (fenced, stage) {
                    self.flights.void(flight, Instant::now());
                }
                self.change_ended(index);
            }
            WriteAnswer::Changed(stored) => {
                // Somebody else was first: the change is made to what is there now.
                let fenced = job.stored.epoch < stored.epoch;
                job.know(*stored);
                if let (true, Stage::Running(flight)) = (fenced, job.stage) {
                    // A reset at another daemon: its tick has nothing to go on with.
                    self.flights.void(flight, Instant::now());
                }
                pending.revision = job.stored.revision;
                // What it left out was not missed, or is found again.
                pending.skipped = 0;
                let change = &pending.request.change;
                pending.state = policy::edit(&job.rule(), &self.rules, job.state.clone(), change, now);
                if self.is_at_rest(index) {
                    self.schedule(index);
                }
                self.outbox.change(pending);
            }
            WriteAnswer::Refused(reason) => {
                let error = RunnerError::Store(StoreError::Refused { reason: reason.clone() });
                if !pending.request.answer(Err(error)) {
                    tracing::error!(job = %job.id, "the job cannot be changed: {reason}");
                }
                self.change_ended(index);
            }
            WriteAnswer::Missing => {
                let reason = "its row was gone from the store and is made again now; ask again".to_owned();
                pending.request.answer(Err(RunnerError::Busy { id: job.id.to_string(), reason }));
                if self.is_at_rest(index) {
                    self.row_is_lost(index);
                }
                self.change_ended(index);
            }
            WriteAnswer::Fenced => {
                pending.request.answer(Err(Self::unknown(&job.id)));
                self.change_ended(index);
            }
        }
    }

    /// The next change of the job may go.
    pub(super) fn change_ended(&mut self, index: JobIndex) {
        let Some(cold) = self.jobs.get_mut(index).and_then(|job| job.cold.as_mut()) else { return };
        match cold.changes.finished() {
            Some(next) => self.change(index, next),
            None => self.forget_if_done(index),
        }
    }
}
