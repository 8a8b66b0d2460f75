use crate::store::{Answers, Batch, NewJob, StoreError, StoredJob};

use super::*;

/// A store whose fence is broken on purpose: a commit or renewal under a stale epoch is let through.
struct Unfenced(MemoryStore);

#[async_trait]
impl StateStore for Unfenced {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.0.open_jobs(jobs).await
    }

    async fn write(&self, mut batch: Batch) -> Result<Answers, StoreError> {
        for commit in &mut batch.commits {
            (commit.epoch, commit.revision) = self.0.current(commit.key);
        }
        self.0.write(batch).await
    }

    fn now(&self) -> UnixMs {
        self.0.now()
    }
}

/// Two runners on one store; the one that holds a lease freezes for longer than its lease (its clock and its store calls
/// stand still), the other takes over, and the first thaws. What broke, if anything.
async fn frozen_holder(seed: u64, fenced: bool) -> Result<(), String> {
    let clock = Arc::new(VirtualClock::at(START));
    let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let store: Arc<dyn StateStore> = if fenced { Arc::new(memory.clone()) } else { Arc::new(Unfenced(memory.clone())) };
    let mut random = crate::runner::seed::Sequence::new(seed);
    let freeze = Duration::from_millis(40_000 + random.next() % 60_000);
    let work = Duration::from_millis(1 + random.next() % 20_000);
    let thaw_gap = Duration::from_millis(random.next() % 20_000);
    let frozen: Arc<dyn StateStore> = Arc::new(Freezing { inner: Arc::clone(&store), once: Mutex::new(Some(freeze)) });
    let poller = move || {
        scripted("slow", move |ctx| async move {
            tokio::time::sleep(work).await;
            TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1))
        })
    };
    let first = Rig::on(frozen, Arc::clone(&clock), RunnerOptions::default());
    first.register(poller(), 4);
    first.apply(vec![job("a", "slow", 30)]).await;
    tokio::time::sleep(thaw_gap).await;
    let second = Rig::on(store, Arc::clone(&clock), RunnerOptions::default());
    second.register(poller(), 4);
    second.apply(vec![job("a", "slow", 30)]).await;
    let mut last = 0;
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let opened = memory.open_jobs(vec![NewJob::new("a", Default::default())]).await.unwrap();
        let cursor = count_of(opened[0].state.cursor.as_deref());
        if cursor < last {
            return Err(format!("seed {seed}: the cursor went back from {last} to {cursor}"));
        }
        last = cursor;
        // Every acknowledged step is one claim: a cursor that stands still while epochs grow was overwritten.
    }
    let committed = first.show("a").await.ticks_ok + second.show("a").await.ticks_ok;
    if committed == last { Ok(()) } else { Err(format!("seed {seed}: {committed} commits, but the cursor is {last}")) }
}

/// Holds back one commit.
struct Freezing {
    inner: Arc<dyn StateStore>,
    once: Mutex<Option<Duration>>,
}

#[async_trait]
impl StateStore for Freezing {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.inner.open_jobs(jobs).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        let freeze = if batch.commits.is_empty() { None } else { self.once.lock().unwrap().take() };
        if let Some(freeze) = freeze {
            tokio::time::sleep(freeze).await;
        }
        self.inner.write(batch).await
    }

    fn now(&self) -> UnixMs {
        self.inner.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_frozen_past_its_lease_overwrites_nothing() {
    let seeds = rounds("NEXO_TEST_SEEDS", 200);
    for seed in 0..seeds {
        frozen_holder(seed, true).await.unwrap();
    }
    println!(
        "figure reliability.frozen_holder_seeds value={seeds} unit=seeds limit=0 ratio=0 note=0-broken-invariants"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_fence_is_found_within_a_thousand_seeds() {
    for seed in 0..1000 {
        if frozen_holder(seed, false).await.is_err() {
            return;
        }
    }
    panic!("the simulation does not notice that the fence is gone");
}
