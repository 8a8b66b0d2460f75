use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::{Answers, Batch, NewJob, StoreError, StoredJob};

/// A store on a disk that can be full.
struct Flaky {
    inner: MemoryStore,
    full: AtomicBool,
}

#[async_trait]
impl StateStore for Flaky {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.inner.open_jobs(jobs).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the disk is full; free some space"));
        }
        self.inner.write(batch).await
    }

    fn now(&self) -> UnixMs {
        self.inner.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_pauses_ticks_says_so_and_loses_nothing() {
    let clock = Arc::new(VirtualClock::at(START));
    let inner = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let store = Arc::new(Flaky { inner, full: AtomicBool::new(false) });
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, clock, RunnerOptions::default());
    let poller = scripted("count", |ctx| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1))
    });
    rig.register(poller, 100);
    rig.apply((0..50).map(|n| job(&format!("job_{n}"), "count", 5)).collect()).await;
    pass(30).await;
    store.full.store(true, Ordering::SeqCst);
    pass(5).await;
    let started = rig.hosts.ticks.lock().unwrap().len();
    pass(5).await;
    assert_eq!(rig.hosts.ticks.lock().unwrap().len(), started, "no tick starts that could not be claimed");
    let status = rig.show("job_1").await;
    assert!(status.why.contains("the disk is full; free some space"), "{}", status.why);
    let health = rig.runner.health().await.unwrap();
    assert_eq!(health.jobs, 50);
    assert!(health.store_trouble.unwrap().contains("the disk is full; free some space"));
    assert!(matches!(rig.runner.pause("job_1", "x", "y").await, Err(RunnerError::Store(_))));
    store.full.store(false, Ordering::SeqCst);
    pass(60).await;
    assert_eq!(rig.runner.health().await.unwrap().store_trouble, None);
    for status in rig.runner.list().await.unwrap() {
        let ticks = rig.ticks().remove(&status.id).unwrap();
        // Each tick went on from the cursor of the one before: what ended on a full disk was committed after all.
        for (index, tick) in ticks.iter().enumerate() {
            assert_eq!(count_of(tick.cursor_before.as_deref()), index as u64, "{}", status.id);
        }
        assert!(!status.why.contains("disk"), "{}", status.why);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_failed_on_a_full_disk_does_not_keep_the_schedule_from_going_on() {
    let clock = Arc::new(VirtualClock::at(START));
    let inner = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let store = Arc::new(Flaky { inner, full: AtomicBool::new(false) });
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, clock, RunnerOptions::default());
    rig.register(counting("count"), 4);
    rig.apply(vec![job("idle", "count", 3600)]).await;
    store.full.store(true, Ordering::SeqCst);
    // Nothing else waits to be written: the operator was told, and the change is forgotten.
    assert!(matches!(rig.runner.pause("idle", "x", "y").await, Err(RunnerError::Store(_))));
    assert!(rig.runner.health().await.unwrap().store_trouble.is_some());
    pass(10).await;
    assert!(rig.runner.health().await.unwrap().store_trouble.is_some(), "the disk is still full");
    store.full.store(false, Ordering::SeqCst);
    pass(10).await;
    assert_eq!(rig.runner.health().await.unwrap().store_trouble, None, "it is asked again, though nobody writes");
    pass(3 * 3600).await;
    assert_eq!(rig.show("idle").await.ticks_ok, 3);
}
