//! What waits to be written, entry by entry.

use std::time::Duration;

use super::change::ChangeRequest;
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
}

/// A lease to take. The revision is not kept here: it is the job's at the moment at which the claim is sent.
pub(super) struct PendingClaim {
    pub(super) job: JobIndex,
    pub(super) ttl: Duration,
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
}

/// A lease to give back without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PendingRelease {
    pub(super) job: JobIndex,
    pub(super) epoch: u64,
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
