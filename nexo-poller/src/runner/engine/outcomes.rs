//! What a tick returned, on its way to the store and back.

use std::time::Duration;

use super::claims::refuse;
use super::core::Engine;
use super::flight::{Landed, Stop};
use super::flights::Landing;
use super::index::FlightKey;
use super::job::Stage;
use super::pending::{PendingCommit, PendingRelease};
use super::tick::{Ended, TickResult};
use crate::contract::{ErrorClass, PollerError, TickMetrics};
use crate::runner::error::RunnerError;
use crate::runner::policy::{self, Outcome, Run};
use crate::store::{StoreError, UnixMs, WriteAnswer};

impl Engine {
    /// A tick's task has gone.
    pub(super) fn tick_ended(&mut self, gone: Ended, now: UnixMs) {
        let kind = match self.flights.land(FlightKey::from_number(gone.run)) {
            Some(Landing::Ended(landed)) => {
                let kind = landed.start.kind;
                self.settle(landed, gone.result, now);
                kind
            }
            Some(Landing::Gone { start, keeps_lease }) => {
                // Its outcome was settled when it was abandoned. Where that is durable too, the job may run again.
                if let Some(job) = self.jobs.get_mut(start.job).filter(|job| job.stage == Stage::Abandoned) {
                    if keeps_lease {
                        job.stage = Stage::Settling;
                        self.outbox.release(PendingRelease { job: start.job, epoch: job.stored.epoch });
                    } else {
                        self.run_is_over(start.job);
                    }
                }
                start.kind
            }
            None => return,
        };
        self.free_place(kind);
    }

    /// What follows from a tick's end, on its way to the store.
    pub(super) fn settle(&mut self, landed: Landed, result: TickResult, now: UnixMs) {
        let Landed { start, stop, manual } = landed;
        let index = start.job;
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.stage = Stage::Settling;
        // Under the job's epoch, not the tick's: where the lease is still ours (after a reset, say) that gives it back, and where
        // it is not the store says so.
        let release = PendingRelease { job: index, epoch: job.stored.epoch };
        if matches!(stop, Stop::Void { .. }) || job.stored.epoch != start.epoch {
            tracing::warn!(job = %job.id, "the tick's outcome is void: its lease is gone, or the job was reset");
            let (id, reason) = (job.id.to_string(), "its lease was lost while it ran, or it was reset".to_owned());
            refuse(manual, || RunnerError::Busy { id, reason });
            self.give_back_once_gone(release);
            return self.observe_void(index, start.scheduled_at, "its lease is gone, or the job was reset");
        }
        let Some((outcome, metrics)) = outcome_of(stop, start.timeout, result) else {
            // Cut short by the shutdown: it repeats from the old cursor, as if it had not begun.
            refuse(manual, || RunnerError::ShutDown);
            self.give_back_once_gone(release);
            return self.observe_void(index, start.scheduled_at, "the runner stopped before it ended");
        };
        let run = Run { scheduled_at: start.scheduled_at, started: start.started, manual: manual.is_some() };
        let random = self.random.next();
        let finished = policy::finish(&job.rule(), &self.rules, job.state.clone(), &run, outcome.clone(), now, random);
        self.outbox.commit(PendingCommit {
            job: index,
            revision: job.stored.revision,
            epoch: start.epoch,
            run,
            outcome,
            metrics,
            took: start.started_at.elapsed(),
            random,
            finished,
            manual,
        });
    }

    /// Gives a lease back without an outcome; where the tick may still be at work, not before that is over.
    fn give_back_once_gone(&mut self, release: PendingRelease) {
        if !self.flights.has_abandoned(release.job) {
            self.outbox.release(release);
        } else if let Some(job) = self.jobs.get_mut(release.job) {
            job.stage = Stage::Abandoned;
        }
    }

    pub(super) fn commit_answered(&mut self, mut pending: PendingCommit, answer: WriteAnswer) {
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(pending.job) else { return };
        match answer {
            WriteAnswer::Done { revision, epoch } => {
                job.stored.moved_on(revision, epoch);
                self.committed(pending);
            }
            WriteAnswer::Changed(stored) if stored.state == pending.finished.state => {
                // An earlier attempt had arrived, only its answer had not.
                job.stored.moved_on(stored.revision, stored.epoch);
                self.committed(pending);
            }
            WriteAnswer::Changed(stored) => {
                // Somebody changed the job while it ran, without touching the lease: both changes hold. The epoch is still the
                // claim's, or the answer would be `Fenced`.
                job.stored.revision = stored.revision;
                pending.finish_again(&job.rule(), &self.rules, stored.revision, stored.state, now);
                self.outbox.commit(pending);
            }
            WriteAnswer::Refused(reason) if matches!(pending.outcome, Outcome::Ok { .. }) => {
                // What it has published is published; where it resumes stays as it was. Tried once: a failure carries no cursor,
                // so whatever the store could not take is not in it.
                pending.outcome = failure(ErrorClass::Permanent, format!("its outcome cannot be stored: {reason}"));
                let revision = pending.revision;
                pending.finish_again(&job.rule(), &self.rules, revision, job.state.clone(), now);
                self.outbox.commit(pending);
            }
            WriteAnswer::Refused(reason) => {
                tracing::error!(job = %job.id, "the tick's outcome cannot be stored: {reason}");
                let error = RunnerError::Store(StoreError::Refused { reason });
                self.outcome_lost(pending, error, "its outcome cannot be stored");
            }
            WriteAnswer::Fenced | WriteAnswer::Missing => {
                tracing::warn!(job = %job.id, epoch = pending.epoch, "the tick's outcome came too late and was refused");
                let reason = "its lease was lost while it ran".to_owned();
                let error = RunnerError::Busy { id: job.id.to_string(), reason };
                self.outcome_lost(pending, error, "its outcome came after its lease was lost");
            }
        }
    }

    /// The next claim finds out what is so now.
    fn outcome_lost(&mut self, pending: PendingCommit, error: RunnerError, why: &'static str) {
        refuse(pending.manual, || error);
        let index = pending.job;
        self.observe_void(index, pending.run.scheduled_at, why);
        self.run_is_over(index);
        self.claim_again(index);
    }
}

/// What a tick's end means; nothing where the shutdown cut it short.
fn outcome_of(stop: Stop, timeout: Duration, result: TickResult) -> Option<(Outcome, Option<TickMetrics>)> {
    let transient = |message: String| failure(ErrorClass::Transient, message);
    let late = || format!("it did not end within its {} s", timeout.as_secs_f64());
    let overdue = matches!(stop, Stop::Deadline { .. });
    let outcome = match result {
        // Late or not: what it acknowledges it has done, and to do it again would publish it twice.
        TickResult::Returned(Ok(ack)) => {
            return Some((Outcome::Ok { cursor: ack.next_cursor, hint: ack.next_interval_hint }, ack.metrics));
        }
        TickResult::Returned(Err(_)) | TickResult::Dropped if stop == Stop::Shutdown => return None,
        TickResult::Returned(Err(error)) if overdue => transient(format!("{}: {error}", late())),
        TickResult::Returned(Err(error)) => failed(&error),
        TickResult::Panicked(panicked) => transient(format!("the poller {panicked}")),
        TickResult::Dropped if overdue => transient(format!("{}, ignored its cancel token and was abandoned", late())),
        TickResult::Dropped => transient("the tick was dropped before it ended".to_owned()),
    };
    Some((outcome, None))
}

fn failed(error: &PollerError) -> Outcome {
    Outcome::Failed { class: error.class(), message: policy::message_of(error), retry_after: error.retry_after() }
}

fn failure(class: ErrorClass, message: String) -> Outcome {
    Outcome::Failed { class, message: policy::shorten(message), retry_after: None }
}
