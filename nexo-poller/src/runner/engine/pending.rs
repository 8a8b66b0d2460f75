//! What waits to be written, entry by entry.

use std::time::Duration;

use tokio::time::Instant;

use super::change::ChangeRequest;
use super::flight::give_up_after;
use super::index::{FlightKey, JobIndex};
use super::manual::ManualRun;
use crate::contract::TickMetrics;
use crate::runner::policy::{self, Finished, JobRule, Outcome, Rules, Run};
use crate::store::{JobState, UnixMs};

/// The outcome of a run on its way to the store.
pub(super) struct PendingCommit {
    pub(super) job: JobIndex,
    /// What `finished` was made from; where the store has another by then, both are made again.
    pub(super) revision: u64,
    /// The claim's: the store takes the outcome under no other.
    pub(super) epoch: u64,
    pub(super) run: Run,
    /// Kept as it came, so that `finished` can be made again from another state.
    pub(super) outcome: Outcome,
    pub(super) metrics: Option<TickMetrics>,
    pub(super) took: Duration,
    /// The same one each time `finished` is made: a backoff does not change because somebody paused the job meanwhile.
    pub(super) random: u64,
    pub(super) finished: Finished,
    pub(super) manual: Option<ManualRun>,
}

/// A change on its way to the store.
pub(super) struct PendingChange {
    pub(super) job: JobIndex,
    /// What `state` was made from, as with a commit.
    pub(super) revision: u64,
    pub(super) request: ChangeRequest,
    pub(super) state: JobState,
    /// Raises the epoch, so that a tick in flight can no longer commit.
    pub(super) fence: bool,
    /// The missed runs that it leaves out. They count once it is durable: another runner may have run them.
    pub(super) skipped: u32,
}

/// When a write about a lease was sent, by both clocks. The store counts the lease from a moment after that, so whoever counts from
/// here never counts on a lease that has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) elapsed: Instant,
    pub(super) wall: UnixMs,
}

/// A lease to take. The revision is not kept here: it is the job's at the moment at which the claim is sent.
pub(super) struct PendingClaim {
    pub(super) job: JobIndex,
    pub(super) ttl: Duration,
    /// Of the last time that it was sent; `None` before.
    pub(super) asked: Option<Asked>,
    /// The run for which it is taken, where somebody asked for it; `None` for a run of the schedule.
    pub(super) manual: Option<ManualRun>,
}

/// A lease to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingRenewal {
    pub(super) job: JobIndex,
    pub(super) epoch: u64,
    pub(super) flight: FlightKey,
    pub(super) ttl: Duration,
    /// Of the last time that it was sent; `None` before.
    pub(super) asked: Option<Asked>,
}

/// A lease to give back without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingRelease {
    pub(super) job: JobIndex,
    pub(super) epoch: u64,
}

impl PendingClaim {
    /// Whether the lease was asked for so long ago that its tick must not start any more.
    pub(super) fn is_old(&self, elapsed: Instant, wall: UnixMs) -> bool {
        self.asked.is_some_and(|asked| asked.age(elapsed, wall) >= give_up_after(self.ttl))
    }
}

impl Asked {
    /// How long ago that was by the clock that says the most. A machine that sleeps stops the one, and not the lease.
    pub(super) fn age(self, elapsed: Instant, wall: UnixMs) -> Duration {
        elapsed.saturating_duration_since(self.elapsed).max(wall.since(self.wall))
    }
}

impl PendingCommit {
    /// Makes what follows from the run again, from the state that the store has at `revision`.
    pub(super) fn finish_again(
        &mut self,
        rule: &JobRule<'_>,
        rules: &Rules,
        revision: u64,
        state: JobState,
        now: UnixMs,
    ) {
        self.revision = revision;
        self.finished = policy::finish(rule, rules, state, &self.run, self.outcome.clone(), now, self.random);
    }
}
