//! Ticks that take long: leases to renew, deadlines, ticks to abandon. And leases that were given back.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Engine;
use super::index::JobIndex;
use super::pending::{PendingRelease, PendingRenewal};
use super::tick::TickResult;
use crate::store::WriteAnswer;

/// A job whose outcome or lease the store did not take is looked at again after this: its claim is answered with what is there.
const CLAIM_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Looks at the ticks in flight, where one needs it.
    pub(super) fn attend_to_flights(&mut self, now: Instant) {
        let attention = self.flights.attend(now);
        self.outbox.renew(attention.renewals);
        if attention.abandoned.is_empty() {
            return;
        }
        // Its outcome is settled now; its place, and its job, are free when its task is gone.
        let now = self.clock.now();
        for landed in attention.abandoned {
            self.settle(landed, TickResult::Dropped, now);
        }
    }

    pub(super) fn renewal_answered(&mut self, renewal: PendingRenewal, answer: &WriteAnswer) {
        let now = Instant::now();
        match answer {
            WriteAnswer::Done { revision, .. } => {
                if self.flights.renewed(&renewal, now)
                    && let Some(job) = self.jobs.get_mut(renewal.job)
                {
                    // The epoch is left alone: a job that was fenced meanwhile has another one than its tick.
                    job.stored.revision = *revision;
                }
            }
            _ => self.flights.lost(&renewal, now),
        }
    }

    pub(super) fn release_answered(&mut self, release: PendingRelease, answer: &WriteAnswer) {
        let index = release.job;
        let Some(job) = self.jobs.get_mut(index) else { return };
        if let WriteAnswer::Done { revision, epoch } = answer {
            job.stored.moved_on(*revision, *epoch);
            return self.run_is_over(index);
        }
        self.run_is_over(index);
        self.claim_again(index);
    }

    /// What is known of the job is old: unless it is under way already, it is claimed a moment later, and the answer tells what
    /// is there now.
    pub(super) fn claim_again(&mut self, index: JobIndex) {
        if self.is_at_rest(index) && self.jobs.get(index).is_some_and(|job| job.state.pause.is_none()) {
            let at = self.clock.now().plus(CLAIM_AGAIN);
            self.wait_until(index, Some(at));
        }
    }
}
