use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::row::Row;
use super::{
    Answers, Batch, ClaimAnswer, Clock, NewJob, StateStore, StoreError, StoredJob, SystemClock, UnixMs, WriteAnswer,
};

/// Job state that lives as long as the process: for tests, `dev` runs, and jobs whose cursor may be lost.
///
/// Clones share their state, so a test can "restart" a runner on the same store.
#[derive(Clone)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    keys: HashMap<Arc<str>, usize>,
    rows: Vec<Row>,
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store that judges leases by `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), shared: Arc::default() }
    }

    /// The epoch and revision of a row, for tests that go around the fence.
    #[cfg(test)]
    pub(crate) fn current(&self, key: i64) -> (u64, u64) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.row(key).map_or((0, 0), |row| (row.epoch, row.revision))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Shared {
    fn row(&mut self, key: i64) -> Option<&mut Row> {
        usize::try_from(key).ok().and_then(|index| self.rows.get_mut(index))
    }

    fn write<E>(
        &mut self,
        entries: Vec<E>,
        key: impl Fn(&E) -> i64,
        mut write: impl FnMut(&mut Row, E) -> WriteAnswer,
    ) -> Vec<WriteAnswer> {
        let answer = |entry: E| match self.row(key(&entry)) {
            Some(row) => write(row, entry),
            None => WriteAnswer::Missing,
        };
        entries.into_iter().map(answer).collect()
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |job: NewJob| {
            let shared = &mut *shared;
            let index = *shared.keys.entry(Arc::clone(&job.id)).or_insert_with(|| {
                let index = shared.rows.len();
                shared.rows.push(Row::of(i64::try_from(index).unwrap_or(i64::MAX), &job));
                index
            });
            shared.rows[index].to_stored()
        };
        Ok(jobs.into_iter().map(open).collect())
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        let now = self.clock.now();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = batch.owner;
        Ok(Answers {
            commits: shared.write(batch.commits, |commit| commit.key, Row::commit),
            edits: shared.write(batch.edits, |edit| edit.key, Row::edit),
            claims: batch
                .claims
                .iter()
                .map(|claim| shared.row(claim.key).map_or(ClaimAnswer::Missing, |row| row.claim(claim, &owner, now)))
                .collect(),
            renewals: shared.write(batch.renewals, |renew| renew.key, |row, renew| row.renew(&renew, &owner, now)),
            releases: shared.write(batch.releases, |release| release.key, |row, release| row.release(&release, &owner)),
        })
    }

    fn now(&self) -> UnixMs {
        self.clock.now()
    }
}
