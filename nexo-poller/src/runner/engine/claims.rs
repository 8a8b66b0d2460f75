//! What the store answered to claims.

use std::time::Duration;

use super::core::Engine;
use super::index::JobIndex;
use super::manual::ManualRun;
use super::pending::PendingClaim;
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
                self.adopt(index, *stored);
                self.free_place_of(index);
            }
            ClaimAnswer::Refused(reason) => {
                let again = self.clock.now().plus(LOOK_AGAIN);
                self.not_claimed(claim, reason, Some(again));
            }
            ClaimAnswer::Missing => {
                let reason = "the job's row is gone from the store; reload to create it again".to_owned();
                self.not_claimed(claim, reason, None);
            }
        }
    }

    fn granted(&mut self, claim: PendingClaim, revision: u64, epoch: u64, takeover: bool) {
        let Some(job) = self.jobs.get_mut(claim.job) else { return };
        job.stored.moved_on(revision, epoch);
        job.forget_holder();
        // A manual run is run paused or not.
        let unwanted = job.removed || (claim.manual.is_none() && job.state.pause.is_some());
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

    fn not_claimed(&mut self, claim: PendingClaim, reason: String, again: Option<UnixMs>) {
        let PendingClaim { job: index, manual, .. } = claim;
        let Some(job) = self.jobs.get(index) else { return };
        tracing::error!(job = %job.id, "the job cannot run: {reason}");
        refuse(manual, || RunnerError::Store(StoreError::Refused { reason }));
        self.wait_until(index, again);
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
