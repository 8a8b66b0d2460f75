//! How old a lease is, and what becomes of a tick that may have lost it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::runner::JobPhase;
use crate::store::{Answers, Batch, Claim, ClaimAnswer, NewJob, StoreError, StoredJob};

/// What happens between a claim and its answer, once.
enum Meanwhile {
    /// The answer takes this long.
    Passes(Duration),
    /// The machine sleeps: wall time goes on, elapsed time does not.
    Sleeps(Duration),
}

/// A store whose first answer to a claim comes late; by then another runner has the lease, which it keeps for a minute.
struct Late {
    inner: MemoryStore,
    clock: Arc<VirtualClock>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Late {
    async fn take_over(&self) {
        let known = self.inner.open_jobs(vec![NewJob::new("a", Default::default())]).await.unwrap().remove(0);
        let claims = [Claim::of(&known, Duration::from_secs(60))];
        let taken = self.inner.write(Batch::of("other".into()).with_claims(claims)).await.unwrap();
        assert!(matches!(taken.claims[0], ClaimAnswer::Granted { takeover: true, .. }), "{:?}", taken.claims);
    }
}

#[async_trait]
impl StateStore for Late {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.inner.open_jobs(jobs).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        let meanwhile = if batch.claims.is_empty() { None } else { self.meanwhile.lock().unwrap().take() };
        let answers = self.inner.write(batch).await;
        match meanwhile {
            None => return answers,
            Some(Meanwhile::Passes(time)) => tokio::time::sleep(time).await,
            Some(Meanwhile::Sleeps(time)) => self.clock.jump(i64::try_from(time.as_millis()).unwrap()),
        }
        self.take_over().await;
        answers
    }

    fn now(&self) -> UnixMs {
        self.inner.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_whose_lease_ran_out_before_its_answer_came_does_not_start_while_another_runner_has_the_job() {
    for meanwhile in [Meanwhile::Passes(Duration::from_secs(31)), Meanwhile::Sleeps(Duration::from_secs(600))] {
        let clock = Arc::new(VirtualClock::at(START));
        let inner = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let late = Late { inner, clock: Arc::clone(&clock), meanwhile: Mutex::new(Some(meanwhile)) };
        let rig = Rig::on(Arc::new(late), clock, RunnerOptions::default());
        rig.register(counting("count"), 4);
        rig.apply(vec![job("a", "count", 10)]).await;
        pass(59).await;
        assert_eq!(rig.tick_count("a"), 0, "the other one has it for a minute");
        pass(60).await;
        assert!(rig.tick_count("a") > 0, "then it is free");
    }
}

/// A rig with one long tick in flight, and what tells whether that was cancelled.
async fn in_flight() -> (Rig, MemoryStore, Arc<AtomicBool>) {
    let clock = Arc::new(VirtualClock::at(START));
    let store = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let rig = Rig::on(Arc::new(store.clone()), clock, RunnerOptions::default());
    let cancelled = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&cancelled);
    rig.registry
        .register(
            scripted("long", move |ctx| {
                let told = Arc::clone(&told);
                async move {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(200)) => {}
                        () = ctx.cancel.cancelled() => told.store(true, Ordering::SeqCst),
                    }
                    Ok(TickAck::new())
                }
            }),
            KindLimits::new(4, Duration::from_secs(400)),
        )
        .unwrap();
    rig.apply(vec![job("a", "long", 10)]).await;
    while rig.show("a").await.phase != JobPhase::Running {
        pass(1).await;
    }
    (rig, store, cancelled)
}

async fn stored(store: &MemoryStore) -> StoredJob {
    store.open_jobs(vec![NewJob::new("a", Default::default())]).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_slept_the_lease_of_a_tick_in_flight_is_renewed_within_seconds_and_the_tick_goes_on() {
    let (rig, store, cancelled) = in_flight().await;
    rig.clock.jump(3_600_000);
    pass(3).await;
    let (_, until) = stored(&store).await.lease.expect("its lease is kept");
    assert!(until > rig.clock.now().plus(Duration::from_secs(300)), "renewed, {until} at {}", rig.clock.now());
    assert!(!cancelled.load(Ordering::SeqCst));
    pass(200).await;
    assert!(rig.show("a").await.ticks_ok >= 1);
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_slept_a_tick_whose_job_another_runner_has_is_cancelled_within_seconds() {
    let (rig, store, cancelled) = in_flight().await;
    rig.clock.jump(3_600_000);
    let claims = [Claim::of(&stored(&store).await, Duration::from_secs(600))];
    let taken = store.write(Batch::of("other".into()).with_claims(claims)).await.unwrap();
    assert!(matches!(taken.claims[0], ClaimAnswer::Granted { takeover: true, .. }));
    pass(3).await;
    assert!(cancelled.load(Ordering::SeqCst));
    pass(60).await;
    assert_eq!(rig.show("a").await.ticks_ok, 0, "what it returned does not count");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_reset_at_another_runner_starts_over_once_its_tick_has_noticed() {
    for told in [true, false] {
        let (rig, store, cancelled) = in_flight().await;
        let other = Rig::on(Arc::new(store.clone()), Arc::clone(&rig.clock), RunnerOptions::default());
        other.apply(vec![job("a", "long", 10)]).await;
        other.runner.reset("a").await.unwrap();
        if told {
            rig.runner.refresh("a");
        }
        // Its next renewal finds out where nobody tells: a quarter of a lease of 410 s.
        pass(if told { 2 } else { 104 }).await;
        assert!(cancelled.load(Ordering::SeqCst), "told: {told}");
        let before = rig.tick_count("a");
        pass(15).await;
        assert!(rig.tick_count("a") > before || rig.show("a").await.phase == JobPhase::Running, "told: {told}");
        assert_eq!(stored(&store).await.lease.map(|(owner, _)| owner.len() > 5), Some(true), "it has its lease again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_tick_runs_elsewhere_does_not_start_again_after_a_reset_before_the_old_tick_is_over() {
    let rig = Rig::new();
    let (inside, overlaps) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (within, twice) = (Arc::clone(&inside), Arc::clone(&overlaps));
    // Its plugin knows no cancel.
    let deaf = scripted("deaf", move |_| {
        let (within, twice) = (Arc::clone(&within), Arc::clone(&twice));
        async move {
            twice.fetch_add(usize::from(within.fetch_add(1, Ordering::SeqCst) > 0), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(60)).await;
            within.fetch_sub(1, Ordering::SeqCst);
            Ok(TickAck::new())
        }
    });
    let limits = KindLimits::new(4, Duration::from_secs(120)).elsewhere();
    rig.registry.register(deaf, limits).unwrap();
    rig.apply(vec![job("a", "deaf", 10)]).await;
    pass(20).await;
    rig.runner.reset("a").await.unwrap();
    pass(30).await;
    assert_eq!(rig.tick_count("a"), 1, "the old one is at work");
    pass(60).await;
    assert_eq!((rig.tick_count("a"), overlaps.load(Ordering::SeqCst)), (2, 0));
}
