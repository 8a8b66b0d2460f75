//! Two live runners on one SQLite file, as two daemons of one machine are.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nexo_poller::prelude::*;
use nexo_poller::runner::{JobPhase, JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule};
use nexo_poller::store::{SqliteOptions, SqliteStore};

use crate::no_host::NoHost;

/// Counts in its cursor, and notices a job that runs twice at once.
struct Counts {
    running: Arc<Mutex<HashSet<String>>>,
    overlaps: Arc<Mutex<u64>>,
}

#[async_trait]
impl Poller for Counts {
    fn kind(&self) -> &'static str {
        "counts"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        if !self.running.lock().unwrap().insert(ctx.job_id.clone()) {
            *self.overlaps.lock().unwrap() += 1;
        }
        // Some work, so that those of the one leave some to the other.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let count = ctx.cursor.as_deref().map_or(0, <[u8]>::len);
        self.running.lock().unwrap().remove(&ctx.job_id);
        let mut ack = TickAck::new();
        ack.next_cursor = Some(vec![1; count + 1]);
        Ok(ack)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_live_runners_on_one_file_run_no_job_twice_at_once_and_lose_no_outcome() {
    const JOBS: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("poller.db");
    let (running, overlaps) = (Arc::<Mutex<HashSet<String>>>::default(), Arc::<Mutex<u64>>::default());
    let mut runners = Vec::new();
    for _ in 0..2 {
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let registry = PollerRegistry::new();
        let counts = Counts { running: Arc::clone(&running), overlaps: Arc::clone(&overlaps) };
        registry.register(Arc::new(counts), KindLimits::new(64, Duration::from_secs(60))).unwrap();
        let mut options = RunnerOptions::default();
        options.max_in_flight = 4;
        let builder = PollerRunner::builder(store, registry, Arc::new(NoHost { stalls: None }));
        let runner = builder.options(options).start();
        let every = Schedule::every(Duration::from_millis(50)).unwrap();
        let job = |n| JobSpec::new(format!("job_{n}"), "counts", "ana", every.clone());
        runner.apply((0..JOBS).map(job).collect()).await.unwrap();
        runners.push(runner);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut acknowledged = vec![0_u64; JOBS];
    // Until each of the two has had its part. Their schedules are the same, and one that has met the other's lease leaves the
    // job to it for long, so the second one asks for its ticks; it is refused where the first is at work.
    for n in (0..JOBS).cycle() {
        // A refusal is an answer, too.
        let _ = runners[1].run_now(&format!("job_{n}")).await;
        let mut least = u64::MAX;
        for runner in &runners {
            let done: u64 = runner.list().await.unwrap().iter().map(|job| job.ticks_ok).sum();
            least = least.min(done);
        }
        if least >= 100 {
            break;
        }
        assert!(Instant::now() < deadline, "one of the two does not get its part: {least} ticks");
    }
    for n in 0..JOBS {
        runners[0].pause(&format!("job_{n}"), "it is enough", "test").await.unwrap();
        // As daemons tell each other: it may have seen the other's lease, and would look again when that ends.
        runners[1].refresh(&format!("job_{n}"));
    }
    // Ticks that are in flight commit.
    loop {
        let mut resting = true;
        for runner in &runners {
            resting &= runner.list().await.unwrap().iter().all(|job| job.phase == JobPhase::Paused);
        }
        if resting {
            break;
        }
        assert!(Instant::now() < deadline, "they do not come to rest");
        tokio::task::yield_now().await;
    }
    for runner in &runners {
        for (n, acknowledged) in acknowledged.iter_mut().enumerate() {
            *acknowledged += runner.show(&format!("job_{n}")).await.unwrap().ticks_ok;
        }
    }
    let mut cursors = Vec::new();
    for n in 0..JOBS {
        let state = runners[1].inspect(&format!("job_{n}")).await.unwrap().1;
        cursors.push(state.cursor.map_or(0, |cursor| cursor.len() as u64));
    }
    assert_eq!(
        (cursors, *overlaps.lock().unwrap()),
        (acknowledged, 0),
        "each acknowledged tick is one step of its cursor"
    );
}
