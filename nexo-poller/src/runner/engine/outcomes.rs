//! What a tick returned, on its way to the store and back.

use std::time::Duration;

use super::Engine;
use super::job::Phase;
use super::outbox::{LeaseNote, PendingCommit};
use super::runs::{RunningTick, Stop};
use super::tick::{Ended, TickResult};
use crate::contract::{ErrorClass, PollerError};
use crate::runner::RunnerError;
use crate::runner::policy::{self, Outcome, Run};
use crate::runner::status::TickReport;
use crate::store::{PauseCause, RunOutcome, StoreError, UnixMs, WriteAnswer};

impl Engine {
    /// A tick's task has gone.
    pub(super) fn tick_ended(&mut self, gone: Ended, now: UnixMs) {
        let Some(tick) = self.runs.remove(gone.run) else { return };
        let slot = tick.slot;
        if tick.stop == Stop::Abandoned {
            // Its outcome was settled when it was abandoned; now the job may run again.
            self.abandoned.remove(&slot);
            if self.job(slot).is_some_and(|job| job.phase == Phase::Abandoned) {
                self.run_over(slot);
            }
        } else {
            self.settle(&tick, gone.result, now);
        }
        self.free_place(tick.kind);
    }

    /// What follows from a tick's end, on its way to the store.
    pub(super) fn settle(&mut self, tick: &RunningTick, result: TickResult, now: UnixMs) {
        let slot = tick.slot;
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        let void = matches!(tick.stop, Stop::Void(_)) || job.epoch != tick.epoch;
        if void {
            tracing::warn!(job = %job.id, "the tick's outcome is void: its lease is gone, or the job was reset");
            let epoch = job.epoch;
            if let Some(manual) = job.rare().manual.take() {
                let id = job.id.to_string();
                let reason = "its lease was lost while it ran, or it was reset".to_owned();
                let _ = manual.send(Err(RunnerError::Busy { id, reason }));
            }
            job.phase = Phase::Committing;
            // Where the lease is still ours (a reset), it is given back; else the store says so.
            self.outbox.releases.push(LeaseNote { slot, epoch, run: u32::MAX, ttl: Duration::ZERO });
            self.observe_void(slot, tick.scheduled_at, "its lease is gone, or the job was reset");
            return;
        }
        let Some((outcome, metrics)) = outcome_of(tick, result) else {
            // Cut short by the shutdown: it repeats from the old cursor, as if it had not begun.
            self.observe_void(slot, tick.scheduled_at, "the runner stopped before it ended");
            return self.interrupted(slot);
        };
        let run = Run { scheduled_at: tick.scheduled_at, started: tick.started, manual: tick.manual };
        let random = self.random.next();
        let finished = policy::finish(&job.rule(), &self.rules, job.state.clone(), &run, outcome.clone(), now, random);
        job.phase = Phase::Committing;
        let revision = job.revision;
        self.outbox.commits.push(PendingCommit {
            slot,
            revision,
            epoch: tick.epoch,
            run,
            outcome,
            metrics,
            took: tick.started_at.elapsed(),
            random,
            finished,
        });
    }

    fn interrupted(&mut self, slot: u32) {
        let Some(job) = self.job_mut(slot) else { return };
        job.phase = Phase::Committing;
        let note = LeaseNote { slot, epoch: job.epoch, run: u32::MAX, ttl: Duration::ZERO };
        if let Some(manual) = job.rare().manual.take() {
            let _ = manual.send(Err(RunnerError::ShutDown));
        }
        self.outbox.releases.push(note);
    }

    pub(super) fn commit_answered(&mut self, mut pending: PendingCommit, answer: WriteAnswer) {
        let slot = pending.slot;
        let now = self.clock.now();
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        match answer {
            WriteAnswer::Done { revision, epoch } => {
                (job.revision, job.epoch) = (revision, epoch);
                self.committed(pending);
            }
            WriteAnswer::Changed(stored) if stored.state == pending.finished.state => {
                // An earlier attempt had arrived, only its answer had not.
                (job.revision, job.epoch) = (stored.revision, stored.epoch);
                self.committed(pending);
            }
            WriteAnswer::Changed(stored) => {
                // Somebody changed the job while it ran, without touching the lease: both changes hold.
                job.revision = stored.revision;
                pending.revision = stored.revision;
                pending.finished = policy::finish(
                    &job.rule(),
                    &self.rules,
                    stored.state,
                    &pending.run,
                    pending.outcome.clone(),
                    now,
                    pending.random,
                );
                self.outbox.commits.push(pending);
            }
            WriteAnswer::Refused(reason) if matches!(pending.outcome, Outcome::Ok { .. }) => {
                // What it has published is published; where it resumes stays as it was.
                pending.outcome = Outcome::Failed {
                    class: ErrorClass::Permanent,
                    message: policy::shorten(format!("its outcome cannot be stored: {reason}")),
                    retry_after: None,
                };
                pending.finished = policy::finish(
                    &job.rule(),
                    &self.rules,
                    job.state.clone(),
                    &pending.run,
                    pending.outcome.clone(),
                    now,
                    pending.random,
                );
                self.outbox.commits.push(pending);
            }
            WriteAnswer::Refused(reason) => {
                tracing::error!(job = %job.id, "the tick's outcome cannot be stored: {reason}");
                if let Some(manual) = job.rare().manual.take() {
                    let _ = manual.send(Err(RunnerError::Store(StoreError::Refused { reason })));
                }
                self.outcome_lost(slot, &pending, "its outcome cannot be stored");
            }
            WriteAnswer::Fenced | WriteAnswer::Missing => {
                tracing::warn!(job = %job.id, epoch = pending.epoch, "the tick's outcome came too late and was refused");
                if let Some(manual) = job.rare().manual.take() {
                    let id = job.id.to_string();
                    let reason = "its lease was lost while it ran".to_owned();
                    let _ = manual.send(Err(RunnerError::Busy { id, reason }));
                }
                self.outcome_lost(slot, &pending, "its outcome came after its lease was lost");
            }
        }
    }

    /// The next claim is told what is so now.
    fn outcome_lost(&mut self, slot: u32, pending: &PendingCommit, why: &'static str) {
        self.observe_void(slot, pending.run.scheduled_at, why);
        self.run_over(slot);
        self.wake_if_idle(slot, self.clock.now().plus(Duration::from_secs(1)));
    }

    /// A run's outcome is durable.
    fn committed(&mut self, mut pending: PendingCommit) {
        let slot = pending.slot;
        let (now, rules) = (self.clock.now(), &self.rules);
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        let before = std::mem::replace(&mut job.state, std::mem::take(&mut pending.finished.state));
        // The clock was set back while this was on its way.
        if job.state.last.is_some_and(|last| last.ended > now.plus(policy::CLOCKS_DIFFER)) {
            let ahead = std::mem::take(&mut job.state);
            job.state = policy::adopt(&job.rule(), rules, ahead, now);
        }
        let next_due = job.state.next.filter(|_| job.state.pause.is_none()).map(|next| next.due);
        let (outcome, error) = match &pending.outcome {
            Outcome::Ok { .. } => (RunOutcome::Ok, None),
            Outcome::Failed { class, message, .. } => {
                let outcome = match class {
                    ErrorClass::Transient => RunOutcome::Transient,
                    ErrorClass::Permanent => RunOutcome::Permanent,
                    ErrorClass::Config => RunOutcome::Config,
                };
                (outcome, Some(message.clone()))
            }
        };
        if let Some(message) = &error {
            tracing::warn!(
                job = %job.id, agent = %job.agent, run_key = pending.run.scheduled_at.0, outcome = outcome.as_str(),
                errors = job.state.errors, "the tick failed: {message}"
            );
        }
        let pause = job.state.pause.as_ref();
        let remedy = match pause.filter(|_| before.pause.is_none()).map(|pause| pause.cause) {
            Some(PauseCause::Permanent) => Some("until somebody resumes it"),
            Some(PauseCause::Config) => Some("until its config is mended"),
            // Whoever paused it knows.
            Some(PauseCause::Operator | PauseCause::OnBoot) | None => None,
        };
        if let Some(remedy) = remedy {
            tracing::error!(job = %job.id, "the job is paused {remedy}");
        }
        if error.is_none() && before.errors > 0 {
            let says = if pause.is_none() { "the job works again" } else { "the tick went well; the job stays paused" };
            tracing::info!(job = %job.id, failures = before.errors, "{says}");
        }
        let rare = job.rare();
        let counters = &mut rare.counters;
        match outcome {
            RunOutcome::Ok => counters.ok += 1,
            RunOutcome::Transient => counters.transient += 1,
            RunOutcome::Permanent | RunOutcome::Config => counters.permanent += 1,
        }
        counters.latency.record(pending.took);
        counters.skipped_overlap += u64::from(pending.finished.skipped_overlap);
        counters.skipped_misfire += u64::from(pending.finished.skipped_misfire);
        if pending.finished.skipped_overlap > 0 {
            rare.last_skip = Some("it came while the run before it still ran");
        } else if pending.finished.skipped_misfire > 0 {
            rare.last_skip = Some("it was missed, and one later run stood for it");
        }
        if let Some(metrics) = pending.metrics {
            counters.items_seen += u64::from(metrics.items_seen);
            counters.items_dispatched += u64::from(metrics.items_dispatched);
        }
        if let Some(manual) = rare.manual.take() {
            let report = TickReport {
                job_id: job.id.to_string(),
                run_key: pending.run.scheduled_at,
                outcome,
                error: error.clone(),
                metrics: pending.metrics,
                took: pending.took,
                next_due,
            };
            let _ = manual.send(Ok(report));
        }
        self.observe_end(&pending, outcome, error.as_deref());
        if let Some(text) = pending.finished.alert {
            self.alert(slot, text);
        }
        self.run_over(slot);
    }
}

/// What a tick's end means; nothing where the shutdown cut it short.
fn outcome_of(tick: &RunningTick, result: TickResult) -> Option<(Outcome, Option<crate::contract::TickMetrics>)> {
    let transient = |message: String| Outcome::Failed {
        class: ErrorClass::Transient,
        message: policy::shorten(message),
        retry_after: None,
    };
    let late = format!("it did not end within its {} s", tick.timeout.as_secs_f64());
    let overdue = matches!(tick.stop, Stop::Deadline(_));
    let outcome = match result {
        TickResult::Returned(Ok(ack)) => {
            return Some((Outcome::Ok { cursor: ack.next_cursor, hint: ack.next_interval_hint }, ack.metrics));
        }
        TickResult::Returned(Err(_)) | TickResult::Dropped if tick.stop == Stop::Shutdown => return None,
        TickResult::Returned(Err(error)) if overdue => transient(format!("{late}: {error}")),
        TickResult::Returned(Err(error)) => failed(&error),
        TickResult::Panicked(panicked) => transient(format!("the poller {panicked}")),
        TickResult::Dropped if overdue => transient(format!("{late}, ignored its cancel token and was abandoned")),
        TickResult::Dropped => transient("the tick was dropped before it ended".to_owned()),
    };
    Some((outcome, None))
}

fn failed(error: &PollerError) -> Outcome {
    Outcome::Failed { class: error.class(), message: policy::message_of(error), retry_after: error.retry_after() }
}
