//! Runs that somebody asks for: each is answered, whatever becomes of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::{Answers, Batch, ClaimAnswer, NewJob, StoreError, StoredJob};

/// A rig whose one place over all kinds is taken by a tick that never ends, so that every other run waits in line.
async fn full_rig() -> Rig {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let rig = Rig::on(store, clock, RunnerOptions { max_in_flight: 1, ..RunnerOptions::default() });
    rig.register(scripted("deaf", |_| std::future::pending()), 1);
    rig.register(counting("count"), 1);
    rig.apply(vec![job("deaf", "deaf", 5), job("a", "count", 3600)]).await;
    pass(6).await;
    assert_eq!(rig.show("deaf").await.phase, JobPhase::Running);
    rig
}

/// Asks for a run of `a`, and waits until the runner has heard of it.
async fn asked(rig: &Rig) -> tokio::task::JoinHandle<Result<TickReport, RunnerError>> {
    let runner = rig.runner.clone();
    let run = tokio::spawn(async move { runner.run_now("a").await });
    pass(1).await;
    assert_eq!(rig.show("a").await.phase, JobPhase::Waiting);
    run
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_told_when_its_job_is_removed() {
    let rig = full_rig().await;
    let run = asked(&rig).await;
    rig.apply(vec![job("deaf", "deaf", 5)]).await;
    assert_eq!(run.await.unwrap(), Err(RunnerError::UnknownJob { id: "a".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_told_when_the_runner_shuts_down() {
    let rig = full_rig().await;
    let run = asked(&rig).await;
    rig.runner.shutdown(Duration::from_secs(1)).await;
    assert_eq!(run.await.unwrap(), Err(RunnerError::ShutDown));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_goes_on_under_a_new_definition() {
    let rig = full_rig().await;
    let run = asked(&rig).await;
    rig.apply(vec![job("deaf", "deaf", 5), job("a", "count", 7200)]).await;
    pass(30).await;
    assert_eq!(run.await.unwrap().unwrap().outcome.as_str(), "ok", "not only at its next slot, in two hours");
}

/// A store whose rows somebody has deleted.
struct Emptied(MemoryStore);

#[async_trait]
impl StateStore for Emptied {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.0.open_jobs(jobs).await
    }

    async fn write(&self, mut batch: Batch) -> Result<Answers, StoreError> {
        let claims = vec![ClaimAnswer::Missing; std::mem::take(&mut batch.claims).len()];
        Ok(Answers { claims, ..self.0.write(batch).await? })
    }

    fn now(&self) -> UnixMs {
        self.0.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_job_whose_row_is_gone_says_so_instead_of_waiting_for_ever() {
    let clock = Arc::new(VirtualClock::at(START));
    let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let rig = Rig::on(Arc::new(Emptied(memory)), clock, RunnerOptions::default());
    rig.register(counting("count"), 1);
    rig.apply(vec![job("a", "count", 3600)]).await;
    let error = rig.runner.run_now("a").await.unwrap_err();
    assert!(error.to_string().contains("row is gone from the store"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_job_that_is_in_line_keeps_that_jobs_place_and_takes_no_second_one() {
    let rig = full_rig().await;
    let (inside, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let most = Arc::clone(&peak);
    let poller = scripted("single", move |_| {
        let (inside, peak) = (Arc::clone(&inside), Arc::clone(&peak));
        async move {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(2)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(TickAck::new())
        }
    });
    rig.register(poller, 1);
    // One of the two gets the kind's only place, and waits in line with it; the other waits for the place.
    rig.apply(vec![job("deaf", "deaf", 5), job("a", "single", 2), job("b", "single", 2)]).await;
    pass(6).await;
    let (a, b) = tokio::join!(rig.runner.run_now("a"), rig.runner.run_now("b"));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    pass(60).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_reset_while_it_is_in_line_waits_for_its_next_slot_and_that_is_not_lost() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let rig = Rig::on(store, clock, RunnerOptions { max_in_flight: 1, ..RunnerOptions::default() });
    rig.register(
        scripted("slow", |_| async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            Ok(TickAck::new())
        }),
        1,
    );
    rig.register(counting("count"), 1);
    rig.apply(vec![job("slow", "slow", 3600), job("a", "count", 600)]).await;
    while rig.show("a").await.next_due.unwrap().since(rig.clock.now()) > Duration::from_secs(2) {
        pass(1).await;
    }
    // It holds the only place over all kinds when `a` is due.
    let slow = tokio::spawn({
        let runner = rig.runner.clone();
        async move { runner.run_now("slow").await }
    });
    pass(5).await;
    assert_eq!(rig.show("a").await.phase, JobPhase::Waiting);
    rig.runner.reset("a").await.unwrap();
    let (ticks, next) = (rig.tick_count("a"), rig.show("a").await.next_due.unwrap());
    slow.await.unwrap().unwrap();
    pass(30).await;
    assert_eq!(rig.tick_count("a"), ticks, "its slot is still to come, at {next}");
    tokio::time::sleep(next.since(rig.clock.now()) + Duration::from_secs(1)).await;
    assert_eq!(rig.tick_count("a"), ticks + 1);
}
