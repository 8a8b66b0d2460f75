//! Rows that somebody deletes from the store while the runner runs.

use super::*;
use crate::store::{Answers, Batch, JobState, NewJob, StoreError, StoredJob};

/// A store that can be emptied.
struct Emptied(Mutex<MemoryStore>, Arc<VirtualClock>);

impl Emptied {
    fn store(&self) -> MemoryStore {
        self.0.lock().unwrap().clone()
    }

    fn empty(&self) {
        *self.0.lock().unwrap() = MemoryStore::with_clock(Arc::clone(&self.1) as Arc<dyn Clock>);
    }
}

#[async_trait]
impl StateStore for Emptied {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.store().open_jobs(jobs).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        self.store().write(batch).await
    }

    fn now(&self) -> UnixMs {
        self.store().now()
    }
}

async fn rig() -> (Rig, Arc<Emptied>) {
    let clock = Arc::new(VirtualClock::at(START));
    let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let store = Arc::new(Emptied(Mutex::new(memory), Arc::clone(&clock)));
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, clock, RunnerOptions::default());
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "count", 10), job("b", "count", 10)]).await;
    pass(35).await;
    (rig, store)
}

async fn stored(store: &Emptied, id: &str) -> StoredJob {
    store.open_jobs(vec![NewJob::new(id, JobState::default())]).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_row_was_deleted_goes_on_from_the_cursor_that_it_had() {
    let (rig, store) = rig().await;
    let before = stored(&store, "a").await;
    let ticks = rig.tick_count("a");
    store.empty();
    pass(60).await;
    assert!(rig.tick_count("a") >= ticks + 5, "{} and then {}", ticks, rig.tick_count("a"));
    let after = stored(&store, "a").await;
    assert_eq!(count_of(after.state.cursor.as_deref()), rig.tick_count("a") as u64);
    assert!(after.epoch > before.epoch && after.revision > before.revision, "nobody can take it for the old row");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_job_whose_row_was_deleted_is_told_and_finds_it_when_he_asks_again() {
    let (rig, store) = rig().await;
    rig.runner.pause("b", "look", "me").await.unwrap();
    store.empty();
    let error = rig.runner.run_now("b").await.unwrap_err().to_string();
    assert!(error.contains("row is gone from the store"), "{error}");
    pass(1).await;
    rig.runner.run_now("b").await.unwrap();
    store.empty();
    let error = rig.runner.resume("b").await.unwrap_err().to_string();
    assert!(error.contains("row was gone from the store"), "{error}");
    pass(1).await;
    assert!(rig.show("b").await.paused.is_some(), "it is what it was");
    rig.runner.resume("b").await.unwrap();
    let ticks = rig.tick_count("b");
    pass(25).await;
    assert!(rig.tick_count("b") > ticks);
}
