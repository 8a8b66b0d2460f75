//! What waits to be written, and what is on its way to the store.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::commands::Edit;
use crate::runner::policy::{Finished, Outcome, Run};
use crate::store::{Answers, Batch, Claim, Commit, JobState, Release, Renew, StateStore, StoreError};

/// The most entries of one kind in one batch.
pub(super) const MAX_BATCH: usize = 1024;
/// Batches on the way at once: while one is written the next is gathered.
const MAX_ON_THE_WAY: usize = 3;

/// The outcome of a run on its way to the store.
pub(super) struct PendingCommit {
    pub(super) slot: u32,
    /// What the new state was made from; where the store has another by then, it is made anew.
    pub(super) revision: u64,
    pub(super) epoch: u64,
    pub(super) run: Run,
    pub(super) outcome: Outcome,
    pub(super) metrics: Option<crate::contract::TickMetrics>,
    pub(super) took: Duration,
    pub(super) random: u64,
    pub(super) finished: Finished,
}

/// A change on its way to the store.
pub(super) struct PendingEdit {
    pub(super) slot: u32,
    /// As of a commit.
    pub(super) revision: u64,
    pub(super) edit: Edit,
    pub(super) state: JobState,
    pub(super) fence: bool,
}

/// A lease to keep or to give back.
#[derive(Clone, Copy)]
pub(super) struct LeaseNote {
    pub(super) slot: u32,
    pub(super) epoch: u64,
    pub(super) run: u32,
    pub(super) ttl: Duration,
}

#[derive(Default)]
pub(super) struct Outbox {
    pub(super) commits: Vec<PendingCommit>,
    pub(super) edits: Vec<PendingEdit>,
    /// Jobs whose lease is to be taken, with the lease's length.
    pub(super) claims: VecDeque<(u32, Duration)>,
    pub(super) renewals: Vec<LeaseNote>,
    pub(super) releases: Vec<LeaseNote>,
    on_the_way: VecDeque<Flight>,
}

/// One batch on its way.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) commits: Vec<PendingCommit>,
    pub(super) edits: Vec<PendingEdit>,
    pub(super) claims: Vec<(u32, Duration)>,
    pub(super) renewals: Vec<LeaseNote>,
    pub(super) releases: Vec<LeaseNote>,
}

struct Flight {
    sent: Sent,
    answer: Pin<Box<dyn Future<Output = Result<Answers, StoreError>> + Send>>,
}

impl Outbox {
    pub(super) fn pending(&self) -> usize {
        self.commits.len() + self.edits.len() + self.claims.len() + self.renewals.len() + self.releases.len()
    }

    pub(super) fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    pub(super) fn may_send(&self) -> bool {
        self.on_the_way.len() < MAX_ON_THE_WAY && self.pending() > 0
    }

    /// Takes what is pending, at most one batch.
    pub(super) fn take(&mut self) -> Sent {
        fn front<T>(list: &mut Vec<T>) -> Vec<T> {
            if list.len() <= MAX_BATCH { std::mem::take(list) } else { list.drain(..MAX_BATCH).collect() }
        }
        let claims = self.claims.len().min(MAX_BATCH);
        Sent {
            commits: front(&mut self.commits),
            edits: front(&mut self.edits),
            claims: self.claims.drain(..claims).collect(),
            renewals: front(&mut self.renewals),
            releases: front(&mut self.releases),
        }
    }

    pub(super) fn send(&mut self, store: &Arc<dyn StateStore>, sent: Sent, batch: Batch) {
        let store = Arc::clone(store);
        self.on_the_way.push_back(Flight { sent, answer: Box::pin(async move { store.write(batch).await }) });
    }

    /// The next batch that comes back; never, while none is on the way.
    pub(super) async fn answered(&mut self) -> (Sent, Result<Answers, StoreError>) {
        std::future::poll_fn(|context| self.poll_answered(context)).await
    }

    fn poll_answered(&mut self, context: &mut Context<'_>) -> Poll<(Sent, Result<Answers, StoreError>)> {
        for index in 0..self.on_the_way.len() {
            if let Poll::Ready(answers) = self.on_the_way[index].answer.as_mut().poll(context)
                && let Some(flight) = self.on_the_way.remove(index)
            {
                return Poll::Ready((flight.sent, answers));
            }
        }
        Poll::Pending
    }
}

impl PendingCommit {
    pub(super) fn entry(&self, key: i64, revision: u64) -> Commit {
        Commit { key, epoch: self.epoch, revision, state: self.finished.state.clone() }
    }
}

impl LeaseNote {
    pub(super) fn renew(&self, key: i64) -> Renew {
        Renew { key, epoch: self.epoch, ttl: self.ttl }
    }

    pub(super) fn release(&self, key: i64) -> Release {
        Release { key, epoch: self.epoch }
    }
}

pub(super) fn claim(key: i64, revision: u64, epoch: u64, ttl: Duration) -> Claim {
    Claim { key, revision, epoch, ttl }
}
