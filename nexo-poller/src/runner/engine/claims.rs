//! What the store answered to claims.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::manual::ManualRun;
use super::pending::{PendingClaim, PendingRelease};
use crate::runner::error::RunnerError;
use crate::runner::observe::RunnerEventKind;
use crate::runner::policy;
use crate::runner::status::LeaseHolder;
use crate::store::{ClaimAnswer, StoreError, StoredJob, UnixMs};

/// A lease of another daemon is looked at again at the latest after this: it may be given back long before it ends.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// And at the soonest after this: its end by the store's clock may be now.
const LOOK_AGAIN_SOONEST: Duration = Duration::from_millis(20);

impl Engine {
    pub(super) fn claim_answered(&mut self, claim: PendingClaim, answer: ClaimAnswer) {
        match answer {
            ClaimAnswer::Granted { epoch, revision, takeover } => self.granted(claim, revision, epoch, takeover),
            ClaimAnswer::Held { owner, until, remaining } => self.held(claim, &owner, until, remaining),
            ClaimAnswer::Changed(stored) => {
                let PendingClaim { job: index, manual, .. } = claim;
                if let (Some(job), Some(manual)) = (self.jobs.get_mut(index), manual) {
                    // Somebody waits for this run: with it, the job is claimed again at once, as it is now.
                    job.cold_mut().manual = Some(manual);
                }
                let ours = stored.lease.as_ref().is_some_and(|(owner, _)| **owner == *self.options.owner);
                self.adopt(index, *stored);
                self.free_place_of(index);
                if ours {
                    self.give_back_stray(index);
                }
            }
            ClaimAnswer::Refused(reason) => {
                let again = self.clock.now().plus(LOOK_AGAIN);
                self.not_claimed(claim, reason, again);
            }
            ClaimAnswer::Missing => {
                let index = claim.job;
                let reason = "the job's row is gone from the store; it is made again now, so ask again".to_owned();
                refuse(claim.manual, || RunnerError::Store(StoreError::Refused { reason }));
                self.row_is_lost(index);
                self.free_place_of(index);
            }
        }
    }

    fn granted(&mut self, claim: PendingClaim, revision: u64, epoch: u64, takeover: bool) {
        let Some(job) = self.jobs.get_mut(claim.job) else { return };
        job.stored.moved_on(revision, epoch);
        job.forget_holder();
        let now = self.clock.now();
        // A manual run is run paused or not. One of the schedule's may be due no more: its job was reset, or the clock set back.
        let unwanted = job.removed || (claim.manual.is_none() && job.due().is_none_or(|due| due > now));
        let id = job.id.clone();
        if takeover {
            job.cold_mut().counters.takeovers += 1;
            tracing::warn!(job = %id, epoch, "took over a lease that had run out");
            self.observe(claim.job, RunnerEventKind::TookOver);
        }
        // The answer took its time: what has happened since counts.
        if self.draining.is_some() {
            self.give_back(claim, RunnerError::ShutDown);
        } else if unwanted {
            self.give_back(claim, Self::unknown(&id));
        } else if claim.is_old(Instant::now(), now) {
            tracing::warn!(job = %id, "its lease came so late that another runner may have it by now; it is claimed again");
            let reason = "its lease ran out before it could start; ask again".to_owned();
            self.give_back(claim, RunnerError::Busy { id: id.to_string(), reason });
        } else {
            self.start_tick(claim);
        }
    }

    fn held(&mut self, claim: PendingClaim, owner: &str, until: UnixMs, remaining: Duration) {
        let PendingClaim { job: index, manual, .. } = claim;
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.cold_mut().holder = Some(LeaseHolder { owner: owner.to_owned(), until });
        let id = job.id.to_string();
        self.observe(index, RunnerEventKind::Held { owner, until });
        refuse(manual, || RunnerError::Held { id, owner: owner.to_owned(), until });
        // When that lease ends, by renewal or by expiry, there is something new to see. How long that is the store says: its
        // clock judges leases, and this machine's may differ.
        let again = remaining.clamp(LOOK_AGAIN_SOONEST, LOOK_AGAIN);
        self.wait_until(index, Some(self.clock.now().plus(again)));
        self.free_place_of(index);
    }

    fn not_claimed(&mut self, claim: PendingClaim, reason: String, again: UnixMs) {
        let PendingClaim { job: index, manual, .. } = claim;
        let Some(job) = self.jobs.get(index) else { return };
        tracing::error!(job = %job.id, "the job cannot run: {reason}");
        refuse(manual, || RunnerError::Store(StoreError::Refused { reason }));
        self.wait_until(index, Some(again));
        self.free_place_of(index);
    }

    /// Takes over what another daemon or an operator wrote.
    fn adopt(&mut self, index: JobIndex, stored: StoredJob) {
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.know(stored);
        let stored = std::mem::take(&mut job.state);
        job.state = policy::adopt(&job.rule(), &self.rules, stored, now);
        job.forget_holder();
        self.schedule(index);
    }

    /// A lease of ours that no tick of ours has any more: its run was fenced off elsewhere, or the answer to its claim was lost.
    /// Nobody else gets the job before it is given back.
    fn give_back_stray(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.stage = Stage::Settling;
        let release = PendingRelease { job: index, epoch: job.stored.epoch };
        self.queue.remove(index);
        self.outbox.release(release);
    }

    fn free_place_of(&mut self, index: JobIndex) {
        if let Some(kind) = self.jobs.get(index).map(|job| job.kind) {
            self.free_place(kind);
        }
    }
}

/// Tells whoever asked for the run, if anybody did, that it does not happen or does not count.
pub(super) fn refuse(manual: Option<ManualRun>, error: impl FnOnce() -> RunnerError) {
    if let Some(manual) = manual {
        manual.refuse(error());
    }
}
