//! What the simulation must notice.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nexo_poller::prelude::*;
use nexo_poller::store::{JobState, MemoryStore, StateStore, StoreError, UnixMs};
use nexo_poller::unstable::{Answers, Batch, NewJob, StoredJob};

pub(crate) fn store(store: MemoryStore) -> Arc<dyn StateStore> {
    Arc::new(Unfenced { store, ids: Mutex::default() })
}

/// A store whose fence is broken on purpose: commits under a stale epoch are let through.
struct Unfenced {
    store: MemoryStore,
    ids: Mutex<HashMap<i64, Arc<str>>>,
}

#[async_trait]
impl StateStore for Unfenced {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        let ids: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.id)).collect();
        let stored = self.store.open_jobs(jobs).await?;
        self.ids.lock().unwrap().extend(stored.iter().map(|job| job.key).zip(ids));
        Ok(stored)
    }

    async fn write(&self, mut batch: Batch) -> Result<Answers, StoreError> {
        for commit in &mut batch.commits {
            let id = self.ids.lock().unwrap().get(&commit.key).cloned().unwrap();
            let now = self.store.open_jobs(vec![NewJob::new(id, JobState::default())]).await?.remove(0);
            (commit.epoch, commit.revision) = (now.epoch, now.revision);
        }
        self.store.write(batch).await
    }

    fn now(&self) -> UnixMs {
        self.store.now()
    }
}
