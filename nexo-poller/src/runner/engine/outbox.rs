use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::index::JobIndex;
use super::job::StoredAs;
use super::pending::{Asked, PendingChange, PendingClaim, PendingCommit, PendingRelease, PendingRenewal};
use crate::store::{Answers, Batch, Claim, Commit, Edit, Release, Renew, StateStore, StoreError, UnixMs};

/// The most entries of one kind in one batch.
const MAX_BATCH: usize = 1024;
/// With this much to write, it is not waited for more.
const FULL_BATCH: usize = 512;
/// Batches on the way at once: while one is written the next is gathered. More would only wait in the store, and what comes
/// meanwhile would go into small batches of its own.
const MAX_ON_THE_WAY: usize = 3;
/// Fewer claims a second than this are a trickle.
const TRICKLE: f64 = 4_000.0;
/// By how much the window of a trickle is longer.
const TRICKLE_WINDOWS: u32 = 7;

/// What goes to the store, gathered to batches: each write costs the machine the same (an `fdatasync`, a round trip), however
/// little is in it.
///
/// Invariants:
/// - an entry is in one place: it waits, or it is on the way, or it has come back from [`answered`](Self::answered);
/// - at most [`MAX_ON_THE_WAY`] batches are on the way, the store's probe apart;
/// - what comes back from a batch that failed goes before what has come since.
pub(super) struct Outbox {
    store: Arc<dyn StateStore>,
    owner: Arc<str>,
    /// What falls within this is written together.
    window: Duration,
    waiting: Entries,
    on_the_way: VecDeque<InTransit>,
    /// When the last batch was sent. The window counts from here and not from the first entry, so that a single job does not
    /// notice it.
    last_sent: Instant,
    /// When the last batch with claims was sent, and how many claims a second it made.
    last_claims: (Instant, f64),
}

/// The entries of one batch, or those that wait for one.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) commits: Vec<PendingCommit>,
    pub(super) changes: Vec<PendingChange>,
    pub(super) claims: Vec<PendingClaim>,
    pub(super) renewals: Vec<PendingRenewal>,
    pub(super) releases: Vec<PendingRelease>,
}

/// One batch on its way.
struct InTransit {
    entries: Entries,
    answer: Pin<Box<dyn Future<Output = Result<Answers, StoreError>> + Send>>,
}

impl Outbox {
    pub(super) fn new(store: Arc<dyn StateStore>, owner: &str, window: Duration) -> Self {
        let now = Instant::now();
        Self {
            store,
            owner: owner.into(),
            window,
            waiting: Entries::default(),
            on_the_way: VecDeque::new(),
            last_sent: now,
            last_claims: (now, 0.0),
        }
    }

    pub(super) fn commit(&mut self, commit: PendingCommit) {
        self.waiting.commits.push(commit);
    }

    pub(super) fn change(&mut self, change: PendingChange) {
        self.waiting.changes.push(change);
    }

    pub(super) fn claim(&mut self, claim: PendingClaim) {
        self.waiting.claims.push(claim);
    }

    pub(super) fn renew(&mut self, renewals: Vec<PendingRenewal>) {
        self.waiting.renewals.extend(renewals);
    }

    pub(super) fn release(&mut self, release: PendingRelease) {
        self.waiting.releases.push(release);
    }

    /// Claims without an answer: each may become a tick.
    pub(super) fn open_claims(&self) -> usize {
        self.waiting.claims.len() + self.on_the_way.iter().map(|batch| batch.entries.claims.len()).sum::<usize>()
    }

    /// Takes out the claims that were not sent.
    pub(super) fn take_claims(&mut self) -> Vec<PendingClaim> {
        std::mem::take(&mut self.waiting.claims)
    }

    /// Whether nothing waits and nothing is on the way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.on_the_way.is_empty()
    }

    /// When the next batch goes, unless something more happens; `None` where an answer, or an entry, comes first.
    pub(super) fn next_send(&self) -> Option<Instant> {
        (self.waiting.len() > 0 && self.on_the_way.is_empty()).then(|| self.window_end())
    }

    /// Until then, what comes is gathered. A trickle waits longer, for at its rate a write for every few entries is the cost
    /// that counts.
    pub(super) fn window_end(&self) -> Instant {
        let trickle = self.last_claims.1 < TRICKLE;
        self.last_sent + if trickle { self.window * TRICKLE_WINDOWS } else { self.window }
    }

    /// Whether a batch is to be sent now; `at_once` where nothing more is waited for.
    pub(super) fn is_due(&self, now: Instant, at_once: bool) -> bool {
        let waiting = self.waiting.len();
        if waiting == 0 || self.on_the_way.len() >= MAX_ON_THE_WAY {
            return false;
        }
        // While a batch is on the way the next one is gathered until it is full: written behind it, a small one would only make
        // whatever comes after it wait longer.
        at_once || waiting >= FULL_BATCH || (self.on_the_way.is_empty() && now >= self.window_end())
    }

    /// Sends what waits, at most one batch. `stored` tells under what the store knows a job: now, because an answer may have
    /// moved its revision on since the entry was made.
    ///
    /// An entry whose job has gone is dropped. There is none but a renewal of a tick that has ended since.
    pub(super) fn send(&mut self, now: Instant, wall: UnixMs, stored: impl Fn(JobIndex) -> Option<StoredAs>) {
        self.last_sent = now;
        let mut entries = self.waiting.take(MAX_BATCH);
        entries.ask(Asked { elapsed: now, wall });
        let batch = entries.address(&self.owner, &stored);
        if !entries.claims.is_empty() {
            let since = now.saturating_duration_since(self.last_claims.0).max(Duration::from_millis(1));
            // A batch is far within a float's whole numbers.
            self.last_claims = (now, entries.claims.len() as f64 / since.as_secs_f64());
        }
        self.dispatch(entries, batch);
    }

    /// Asks the store with nothing to write whether it works again.
    pub(super) fn probe(&mut self) {
        let batch = Batch::of(Arc::clone(&self.owner));
        self.dispatch(Entries::default(), batch);
    }

    /// The next batch that comes back; never, while none is on the way. Nothing is lost where it is dropped half-way.
    pub(super) async fn answered(&mut self) -> (Entries, Result<Answers, StoreError>) {
        std::future::poll_fn(|context| self.poll_answered(context)).await
    }

    /// Nothing of a batch is taken as done: all of it waits again, before what has come since. Changes that somebody waits for
    /// come back, to be answered; what the runner itself wants stays wanted. Renewals are dropped: one that is still needed is
    /// asked for again when the ticks are looked at.
    pub(super) fn failed(&mut self, entries: Entries) -> Vec<PendingChange> {
        self.waiting.commits.splice(0..0, entries.commits);
        self.waiting.releases.splice(0..0, entries.releases);
        self.waiting.claims.splice(0..0, entries.claims);
        let (asked, unasked): (Vec<_>, Vec<_>) =
            entries.changes.into_iter().partition(|change| change.request.reply.is_some());
        self.waiting.changes.splice(0..0, unasked);
        asked
    }

    fn dispatch(&mut self, entries: Entries, batch: Batch) {
        let store = Arc::clone(&self.store);
        self.on_the_way.push_back(InTransit { entries, answer: Box::pin(async move { store.write(batch).await }) });
    }

    fn poll_answered(&mut self, context: &mut Context<'_>) -> Poll<(Entries, Result<Answers, StoreError>)> {
        for index in 0..self.on_the_way.len() {
            if let Poll::Ready(answers) = self.on_the_way[index].answer.as_mut().poll(context)
                && let Some(batch) = self.on_the_way.remove(index)
            {
                return Poll::Ready((batch.entries, answers));
            }
        }
        Poll::Pending
    }
}

impl Entries {
    fn len(&self) -> usize {
        self.commits.len() + self.changes.len() + self.claims.len() + self.renewals.len() + self.releases.len()
    }

    /// Takes the first `most` of each list.
    fn take(&mut self, most: usize) -> Self {
        fn front<T>(list: &mut Vec<T>, most: usize) -> Vec<T> {
            if list.len() <= most { std::mem::take(list) } else { list.drain(..most).collect() }
        }
        Self {
            commits: front(&mut self.commits, most),
            changes: front(&mut self.changes, most),
            claims: front(&mut self.claims, most),
            renewals: front(&mut self.renewals, most),
            releases: front(&mut self.releases, most),
        }
    }

    /// Leases count from here.
    fn ask(&mut self, asked: Asked) {
        self.claims.iter_mut().for_each(|claim| claim.asked = Some(asked));
        self.renewals.iter_mut().for_each(|renewal| renewal.asked = Some(asked));
    }

    /// The batch in the store's words, entry by entry: the answers come in this order. What is about jobs that have gone is
    /// dropped, and the rest is put in the order of the store's keys: neighbouring rows share a page.
    fn address(&mut self, owner: &Arc<str>, stored: &impl Fn(JobIndex) -> Option<StoredAs>) -> Batch {
        let commits = addresses(&mut self.commits, |commit| stored(commit.job));
        let changes = addresses(&mut self.changes, |change| stored(change.job));
        let claims = addresses(&mut self.claims, |claim| stored(claim.job));
        let renewals = addresses(&mut self.renewals, |renewal| stored(renewal.job));
        let releases = addresses(&mut self.releases, |release| stored(release.job));
        let commit = |(commit, at): (&PendingCommit, StoredAs)| {
            let state = commit.finished.state.clone();
            Commit { key: at.key, epoch: commit.epoch, revision: commit.revision, state }
        };
        let edit = |(change, at): (&PendingChange, StoredAs)| {
            let state = change.state.clone();
            Edit { key: at.key, revision: change.revision, state, fence: change.fence }
        };
        let claim = |(claim, at): (&PendingClaim, StoredAs)| {
            let StoredAs { key, revision, epoch } = at;
            Claim { key, revision, epoch, ttl: claim.ttl }
        };
        let renew =
            |(renewal, at): (&PendingRenewal, StoredAs)| Renew { key: at.key, epoch: renewal.epoch, ttl: renewal.ttl };
        let release = |(release, at): (&PendingRelease, StoredAs)| Release { key: at.key, epoch: release.epoch };
        Batch {
            owner: Arc::clone(owner),
            commits: self.commits.iter().zip(commits).map(commit).collect(),
            edits: self.changes.iter().zip(changes).map(edit).collect(),
            claims: self.claims.iter().zip(claims).map(claim).collect(),
            renewals: self.renewals.iter().zip(renewals).map(renew).collect(),
            releases: self.releases.iter().zip(releases).map(release).collect(),
        }
    }
}

/// Leaves in `entries` those whose job the store knows, in the order of its keys; and says under what it knows them.
fn addresses<T>(entries: &mut Vec<T>, stored: impl Fn(&T) -> Option<StoredAs>) -> Vec<StoredAs> {
    let mut known: Vec<(StoredAs, T)> =
        std::mem::take(entries).into_iter().filter_map(|entry| Some((stored(&entry)?, entry))).collect();
    known.sort_unstable_by_key(|(at, _)| at.key);
    let (addresses, kept) = known.into_iter().unzip();
    *entries = kept;
    addresses
}
