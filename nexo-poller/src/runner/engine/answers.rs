//! What the store answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::commands::Edit;
use super::job::Phase;
use super::outbox::{LeaseNote, PendingEdit, Sent};
use super::{Engine, STORE_RETRY, Trouble};
use crate::runner::policy::{self, Change};
use crate::runner::status::LeaseHolder;
use crate::runner::{RunnerError, RunnerEventKind};
use crate::store::{Answers, ClaimAnswer, StoreError, StoredJob, UnixMs, WriteAnswer};

/// A lease of another daemon is looked at again at the latest after this.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// While the store does not work, it is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn answered(&mut self, sent: Sent, answers: Result<Answers, StoreError>) {
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return self.store_failed(sent, &error),
        };
        if let Some(trouble) = self.trouble.take() {
            let lasted = self.clock.now().since(trouble.since);
            tracing::info!(lasted_secs = lasted.as_secs(), "the job state can be written again; ticks go on");
        }
        for (pending, answer) in sent.commits.into_iter().zip(answers.commits) {
            self.commit_answered(pending, answer);
        }
        for (pending, answer) in sent.edits.into_iter().zip(answers.edits) {
            self.edit_answered(pending, answer);
        }
        for ((slot, ttl), answer) in sent.claims.into_iter().zip(answers.claims) {
            self.claim_answered(slot, ttl, answer);
        }
        for (note, answer) in sent.renewals.into_iter().zip(answers.renewals) {
            self.renewal_answered(note, &answer);
        }
        for (note, answer) in sent.releases.into_iter().zip(answers.releases) {
            self.release_answered(note, &answer);
        }
    }

    /// Nothing of the batch is taken as done: all of it waits, and no tick starts meanwhile.
    fn store_failed(&mut self, sent: Sent, error: &StoreError) {
        let elapsed = Instant::now();
        let now = self.clock.now();
        let said_at = match &self.trouble {
            Some(trouble) if elapsed < trouble.said_at + SAY_AGAIN => trouble.said_at,
            _ => {
                tracing::error!(%error, "no tick starts until the job state can be written again");
                elapsed
            }
        };
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { error: error.clone(), since, retry_at: elapsed + STORE_RETRY, said_at });
        self.outbox.commits.splice(0..0, sent.commits);
        self.outbox.releases.splice(0..0, sent.releases);
        // A renewal that is still needed is asked for again when the ticks are looked at.
        for claim in sent.claims.into_iter().rev() {
            self.outbox.claims.push_front(claim);
        }
        for mut pending in sent.edits.into_iter().rev() {
            // An operator is told at once; what the runner itself wants stays wanted.
            match pending.edit.reply.take() {
                Some(reply) => {
                    let _ = reply.send(Err(RunnerError::Store(error.clone())));
                    self.edit_ended(pending.slot);
                }
                None => self.outbox.edits.insert(0, pending),
            }
        }
    }

    fn claim_answered(&mut self, slot: u32, ttl: Duration, answer: ClaimAnswer) {
        self.claiming = self.claiming.saturating_sub(1);
        let now = self.clock.now();
        let draining = self.draining.is_some();
        let Some(job) = self.job_mut(slot) else { return };
        let (id, kind) = (Arc::clone(&job.id), job.kind);
        match answer {
            ClaimAnswer::Granted { epoch, revision, takeover } => {
                (job.epoch, job.revision) = (epoch, revision);
                if takeover {
                    job.rare().counters.takeovers += 1;
                    tracing::warn!(job = %id, epoch, "took over a lease that had run out");
                    self.observe(slot, RunnerEventKind::TookOver);
                }
                let Some(job) = self.job_mut(slot) else { return };
                if let Some(rare) = &mut job.rare {
                    rare.holder = None;
                }
                // Paused, removed or reset while the claim was on its way.
                let manual = job.rare.as_ref().is_some_and(|rare| rare.manual.is_some());
                if draining {
                    return self.give_back(slot, RunnerError::ShutDown);
                }
                if job.removed || (!manual && job.state.pause.is_some()) {
                    return self.give_back(slot, Self::unknown(&id));
                }
                self.start_tick(slot, ttl);
            }
            ClaimAnswer::Held { owner, until, remaining } => {
                let holder = LeaseHolder { owner: owner.to_string(), until };
                job.rare().holder = Some(holder);
                self.observe(slot, RunnerEventKind::Held { owner: &owner, until });
                let Some(job) = self.job_mut(slot) else { return };
                if let Some(manual) = job.rare().manual.take() {
                    let error = RunnerError::Held { id: id.to_string(), owner: owner.to_string(), until };
                    let _ = manual.send(Err(error));
                }
                // When that lease ends, by renewal or by expiry, there is something new to see.
                let again = remaining.clamp(Duration::from_millis(20), LOOK_AGAIN);
                self.wake_at(slot, Some(now.plus(again)));
                self.free_place(kind);
            }
            ClaimAnswer::Changed(stored) => {
                let manual = job.rare.as_ref().is_some_and(|rare| rare.manual.is_some());
                self.adopt(slot, *stored);
                if manual {
                    // Somebody waits for this run: claim it again as it is now.
                    self.wake_at(slot, Some(now));
                }
                self.free_place(kind);
            }
            ClaimAnswer::Refused(reason) => {
                tracing::error!(job = %id, "the job cannot run: {reason}");
                if let Some(manual) = job.rare().manual.take() {
                    let _ = manual.send(Err(RunnerError::Store(StoreError::Refused { reason })));
                }
                self.wake_at(slot, Some(now.plus(LOOK_AGAIN)));
                self.free_place(kind);
            }
            ClaimAnswer::Missing => {
                tracing::error!(job = %id, "the job's row is gone from the store; reload to create it again");
                self.wake_at(slot, None);
                self.free_place(kind);
            }
        }
    }

    /// Takes over what another daemon or an operator wrote.
    pub(super) fn adopt(&mut self, slot: u32, stored: StoredJob) {
        let now = self.clock.now();
        let rules = self.rules.clone();
        let Some(job) = self.job_mut(slot) else { return };
        job.know(stored);
        let stored = std::mem::take(&mut job.state);
        job.state = policy::adopt(&job.rule(), &rules, stored, now);
        if let Some(rare) = &mut job.rare {
            rare.holder = None;
        }
        self.schedule(slot);
    }

    /// Gives a lease back unused.
    pub(super) fn give_back(&mut self, slot: u32, why: RunnerError) {
        let Some(job) = self.job_mut(slot) else { return };
        let (kind, note) = (job.kind, LeaseNote { slot, epoch: job.epoch, run: u32::MAX, ttl: Duration::ZERO });
        job.phase = Phase::Committing;
        if let Some(manual) = job.rare().manual.take() {
            let _ = manual.send(Err(why));
        }
        self.outbox.releases.push(note);
        self.free_place(kind);
    }

    /// The job's last run is settled; it may run again once its task is gone too.
    pub(super) fn run_over(&mut self, slot: u32) {
        let abandoned = self.abandoned.contains(&slot);
        let Some(job) = self.job_mut(slot) else { return };
        if abandoned {
            job.phase = Phase::Abandoned;
            return;
        }
        if job.removed {
            self.wake_at(slot, None);
            self.forget_if_done(slot);
        } else {
            self.schedule(slot);
        }
    }

    /// A job whose definition is gone goes once nothing of it is on the way.
    pub(super) fn forget_if_done(&mut self, slot: u32) {
        let done = self.job(slot).is_some_and(|job| {
            job.removed && job.phase == Phase::Idle && !job.rare.as_ref().is_some_and(|rare| rare.editing)
        });
        if done {
            self.forget(slot);
        }
    }

    pub(super) fn wake_if_idle(&mut self, slot: u32, at: UnixMs) {
        if self.job(slot).is_some_and(|job| job.phase == Phase::Idle && job.state.pause.is_none()) {
            self.wake_at(slot, Some(at));
        }
    }

    fn edit_answered(&mut self, mut pending: PendingEdit, answer: WriteAnswer) {
        let slot = pending.slot;
        let now = self.clock.now();
        let rules = self.rules.clone();
        let Some(job) = self.job_mut(slot) else { return };
        match answer {
            WriteAnswer::Done { revision, epoch } => {
                let fenced = job.epoch != epoch;
                (job.revision, job.epoch) = (revision, epoch);
                job.state.clone_from(&pending.state);
                let phase = job.phase;
                self.observe_change(&pending);
                if let Some(reply) = pending.edit.reply.take() {
                    let _ = reply.send(Ok(()));
                }
                if phase == Phase::Idle || phase == Phase::Parked {
                    self.schedule(slot);
                }
                if let (true, Phase::Running(run)) = (fenced, phase) {
                    self.void(run);
                }
                self.edit_ended(slot);
            }
            WriteAnswer::Changed(stored) => {
                // Somebody else was first: the change is made to what is there now.
                job.know(*stored);
                pending.revision = job.revision;
                let rare_phase = job.phase;
                pending.state = policy::edit(&job.rule(), &rules, job.state.clone(), &pending.edit.change, now);
                if rare_phase == Phase::Idle {
                    self.schedule(slot);
                }
                self.outbox.edits.push(pending);
            }
            WriteAnswer::Refused(reason) => {
                match pending.edit.reply.take() {
                    Some(reply) => {
                        let _ = reply.send(Err(RunnerError::Store(StoreError::Refused { reason })));
                    }
                    None => tracing::error!(job = %job.id, "the job cannot be changed: {reason}"),
                }
                self.edit_ended(slot);
            }
            WriteAnswer::Fenced | WriteAnswer::Missing => {
                if let Some(reply) = pending.edit.reply.take() {
                    let _ = reply.send(Err(RunnerError::UnknownJob { id: job.id.to_string() }));
                }
                self.edit_ended(slot);
            }
        }
    }

    /// The next change of the job may go.
    fn edit_ended(&mut self, slot: u32) {
        let Some(rare) = self.job_mut(slot).and_then(|job| job.rare.as_mut()) else { return };
        rare.editing = false;
        if let Some(next) = rare.queued.pop_front() {
            self.edit(slot, next);
        } else {
            self.forget_if_done(slot);
        }
    }

    fn renewal_answered(&mut self, note: LeaseNote, answer: &WriteAnswer) {
        let Some(tick) = self.runs.get_mut(note.run).filter(|tick| tick.slot == note.slot && tick.epoch == note.epoch)
        else {
            return;
        };
        match answer {
            WriteAnswer::Done { revision, .. } => {
                tick.give_up_at = Instant::now() + tick.ttl.mul_f64(0.7);
                let revision = *revision;
                if let Some(job) = self.job_mut(note.slot) {
                    job.revision = revision;
                }
            }
            _ => self.void(note.run),
        }
        self.runs.refresh_next_check();
    }

    fn release_answered(&mut self, note: LeaseNote, answer: &WriteAnswer) {
        let now = self.clock.now();
        let Some(job) = self.job_mut(note.slot) else { return };
        if let WriteAnswer::Done { revision, epoch } = answer {
            (job.revision, job.epoch) = (*revision, *epoch);
        }
        self.run_over(note.slot);
        if !matches!(answer, WriteAnswer::Done { .. }) {
            self.wake_if_idle(note.slot, now.plus(Duration::from_secs(1)));
        }
    }

    /// A change that its definition or the runner asks for.
    pub(super) fn edit_quietly(&mut self, slot: u32, change: Change) {
        self.edit(slot, Edit { change, reply: None });
    }
}
