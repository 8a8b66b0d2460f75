use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nexo_poller::store::{JobState, RunOutcome, StateStore, StoreError, UnixMs};
use nexo_poller::unstable::{Answers, Batch, ClaimAnswer, NewJob, StoredJob, WriteAnswer};

use super::history::Broken;

/// What is really so, seen from the store and from the ticks themselves, whatever the runners believe. It holds them to
/// their rules:
/// - a tick starts from the durable cursor, and no commit overwrites one that its tick did not know;
/// - a job never runs twice at once, as long as nobody sets the clock of its leases forward;
/// - no run succeeds twice.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    jobs: HashMap<i64, Row>,
    /// Ticks that have begun and are not committed, by owner and job: the cursor that they began with.
    begun: HashMap<(String, String), Option<Box<[u8]>>>,
    /// Ticks that run now: job and owner.
    running: HashSet<(String, String)>,
    /// Who holds the lease of which job, as far as nobody set the clock forward since it was granted: job and owner.
    leased: HashSet<(String, String)>,
    broken: Vec<Broken>,
}

struct Row {
    id: Arc<str>,
    state: JobState,
    /// The runs that succeeded, in their order.
    succeeded: Vec<UnixMs>,
}

impl Row {
    /// Whether the run of `slot` had not succeeded yet.
    fn succeeds(&mut self, slot: UnixMs) -> bool {
        // Almost always it comes last.
        let place = self.succeeded.iter().rposition(|known| *known <= slot).map_or(0, |before| before + 1);
        let new = place == 0 || self.succeeded[place - 1] != slot;
        self.succeeded.insert(place, slot);
        new
    }
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tick begins; it ends when the answer is dropped.
    pub(super) fn tick_begins(&self, owner: &str, job: &str, cursor: Option<&[u8]>, at: UnixMs) -> TickEnd {
        let mut inner = self.inner();
        let other = inner.running.intersection(&inner.leased).find(|(running, _)| running == job);
        if let Some((_, other)) = other {
            let rule = format!("a job never runs twice at once, but {owner} starts it while {other} still runs it");
            inner.broken.push(Broken { at, job: job.to_owned(), rule });
        }
        inner.running.insert((job.to_owned(), owner.to_owned()));
        inner.begun.insert((owner.to_owned(), job.to_owned()), cursor.map(Box::from));
        TickEnd { ledger: self.clone(), job: job.to_owned(), owner: owner.to_owned() }
    }

    /// A runner is dead: what it had begun never happened.
    pub(super) fn forget(&self, owner: &str) {
        let mut inner = self.inner();
        inner.running.retain(|(_, of)| of != owner);
        inner.begun.retain(|(of, _), _| of != owner);
    }

    /// The clock that judges leases was set forward: those that are granted may be over at once, and only the fence is left
    /// to protect their jobs.
    pub(super) fn leases_end(&self) {
        self.inner().leased.clear();
    }

    /// The rules that were broken, and the state of each job at the end.
    pub(super) fn close(&self) -> (Vec<Broken>, Vec<(Arc<str>, JobState)>) {
        let mut inner = self.inner();
        let broken = std::mem::take(&mut inner.broken);
        let mut states: Vec<_> = inner.jobs.drain().map(|(_, row)| (row.id, row.state)).collect();
        states.sort_by(|a, b| a.0.cmp(&b.0));
        (broken, states)
    }
}

impl Inner {
    fn committed(&mut self, owner: &str, key: i64, state: JobState, at: UnixMs) {
        let Some(row) = self.jobs.get_mut(&key) else { return };
        let job = row.id.to_string();
        if let Some(began_with) = self.begun.remove(&(owner.to_owned(), job.clone()))
            && began_with != row.state.cursor
        {
            let (began, found) = (show(began_with.as_deref()), show(row.state.cursor.as_deref()));
            let rule = format!(
                "a commit never overwrites a cursor that its tick did not know, but {owner} began with {began} and \
                 overwrote {found}"
            );
            self.broken.push(Broken { at, job: job.clone(), rule });
        }
        if let Some(last) = state.last.filter(|last| last.outcome == RunOutcome::Ok)
            && !row.succeeds(last.scheduled_at)
        {
            let rule = format!("no run succeeds twice, but the run of {} did", last.scheduled_at);
            self.broken.push(Broken { at, job, rule });
        }
        row.state = state;
    }
}

fn show(cursor: Option<&[u8]>) -> String {
    cursor.map_or_else(|| "no cursor".to_owned(), |cursor| format!("cursor {}", String::from_utf8_lossy(cursor)))
}

/// Ends a tick in the ledger when it is dropped.
pub(super) struct TickEnd {
    ledger: Ledger,
    job: String,
    owner: String,
}

impl Drop for TickEnd {
    fn drop(&mut self) {
        let key = (std::mem::take(&mut self.job), std::mem::take(&mut self.owner));
        self.ledger.inner().running.remove(&key);
    }
}

/// The store of a simulation, with the ledger beside it.
pub(super) struct LedgerStore {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) ledger: Ledger,
}

#[async_trait]
impl StateStore for LedgerStore {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        let ids: Vec<Arc<str>> = jobs.iter().map(|job| Arc::clone(&job.id)).collect();
        let stored = self.store.open_jobs(jobs).await?;
        let mut inner = self.ledger.inner();
        for (id, stored) in ids.into_iter().zip(&stored) {
            inner.jobs.entry(stored.key).or_insert_with(|| Row {
                id,
                state: stored.state.clone(),
                succeeded: Vec::new(),
            });
        }
        Ok(stored)
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        let owner = Arc::clone(&batch.owner);
        let commits: Vec<_> = batch.commits.iter().map(|commit| (commit.key, commit.state.clone())).collect();
        let edits: Vec<_> = batch.edits.iter().map(|edit| (edit.key, edit.state.clone())).collect();
        let claims: Vec<i64> = batch.claims.iter().map(|claim| claim.key).collect();
        let answers = self.store.write(batch).await?;
        let at = self.store.now();
        let mut inner = self.ledger.inner();
        for ((key, state), answer) in commits.into_iter().zip(&answers.commits) {
            if matches!(answer, WriteAnswer::Done { .. }) {
                inner.committed(&owner, key, state, at);
            }
        }
        for (key, answer) in claims.into_iter().zip(&answers.claims) {
            if let (ClaimAnswer::Granted { .. }, Some(row)) = (answer, inner.jobs.get(&key)) {
                let lease = (row.id.to_string(), owner.to_string());
                inner.leased.insert(lease);
            }
        }
        for ((key, state), answer) in edits.into_iter().zip(&answers.edits) {
            if let (WriteAnswer::Done { .. }, Some(row)) = (answer, inner.jobs.get_mut(&key)) {
                row.state = state;
            }
        }
        Ok(answers)
    }

    fn now(&self) -> UnixMs {
        self.store.now()
    }
}
