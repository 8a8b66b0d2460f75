use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_kind_never_runs_more_ticks_at_once_than_it_may() {
    let rig = Rig::new();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside, peak) = (Arc::clone(&running), Arc::clone(&most));
    let poller = scripted("slow", move |_| {
        let (inside, peak) = (Arc::clone(&inside), Arc::clone(&peak));
        async move {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(700)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(TickAck::new())
        }
    });
    rig.register(poller, 3);
    rig.apply((0..100).map(|n| job(&format!("job_{n}"), "slow", 30)).collect()).await;
    pass(60).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert!(rig.ticks().len() > 90, "everybody gets a turn: {}", rig.ticks().len());
}

#[tokio::test(start_paused = true)]
async fn a_tick_past_its_deadline_is_cancelled_and_what_it_had_done_counts() {
    let rig = Rig::new();
    let poller = scripted("long", |ctx| async move {
        ctx.cancel.cancelled().await;
        TickAck::with_cursor(&1)
    });
    rig.register(poller, 4);
    rig.apply(vec![job("a", "long", 60)]).await;
    pass(100).await;
    let status = rig.show("a").await;
    assert_eq!((status.ticks_ok, status.cursor_bytes), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_ignores_its_cancel_token_is_abandoned_and_retried() {
    let rig = Rig::new();
    rig.register(scripted("deaf", |_| std::future::pending()), 4);
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "deaf", 60), job("b", "count", 60)]).await;
    pass(300).await;
    let status = rig.show("a").await;
    assert!(status.ticks_failed >= 2, "{status:?}");
    let error = status.last_error.unwrap();
    assert_eq!(error, "it did not end within its 20 s, ignored its cancel token and was abandoned");
    assert_eq!(rig.show("b").await.ticks_ok, 5, "its neighbour does not notice");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_panics_is_a_failure_of_its_job_only() {
    let rig = Rig::new();
    rig.register(scripted("panics", |_| async { panic!("boom") }), 1);
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "panics", 60), job("b", "count", 60)]).await;
    pass(600).await;
    let status = rig.show("a").await;
    let error = status.first_error.as_deref().unwrap();
    assert!(error.starts_with("the poller panicked at ") && error.contains("limits.rs:"), "{error}");
    assert!(!error.contains("boom"), "a panic may quote a secret: {error}");
    assert!(status.ticks_failed >= 5 && status.breaker == BreakerState::Open, "{status:?}");
    assert_eq!(rig.show("b").await.ticks_ok, 10);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_kind_is_not_there_waits_says_so_and_runs_when_it_comes() {
    let rig = Rig::new();
    rig.apply(vec![job("a", "count", 60)]).await;
    pass(90).await;
    let status = rig.show("a").await;
    assert_eq!(status.phase, JobPhase::Waiting);
    assert!(status.why.contains("no poller of kind `count` is registered"), "{}", status.why);
    assert!(matches!(rig.runner.run_now("a").await, Err(RunnerError::KindMissing { .. })));
    rig.register(counting("count"), 1);
    pass(1).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1);
    rig.registry.unregister("count");
    pass(300).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_jobs_of_one_second_all_run_within_the_limit() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let options = RunnerOptions { max_in_flight: 50, default_jitter: Duration::ZERO, ..RunnerOptions::default() };
    let rig = Rig::on(store, clock, options);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside, peak) = (Arc::clone(&running), Arc::clone(&most));
    let poller = scripted("herd", move |_| {
        let (inside, peak) = (Arc::clone(&inside), Arc::clone(&peak));
        async move {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(TickAck::new())
        }
    });
    rig.register(poller, 10_000);
    let hourly = Schedule::cron("0 0 * * * *", None).unwrap();
    rig.apply((0..10_000).map(|n| JobSpec::new(format!("job_{n}"), "herd", "ana", hourly.clone())).collect()).await;
    pass(3660).await;
    assert_eq!(rig.ticks().len(), 10_000);
    assert!(rig.ticks().values().all(|ticks| ticks.len() == 1));
    assert!(most.load(Ordering::SeqCst) <= 50);
}

#[tokio::test(start_paused = true)]
async fn shutdown_commits_what_ends_in_time_and_leaves_no_lease() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, Arc::clone(&clock), RunnerOptions::default());
    rig.register(
        scripted("polite", |ctx| async move {
            ctx.cancel.cancelled().await;
            TickAck::with_cursor(&7)
        }),
        4,
    );
    rig.register(scripted("deaf", |_| std::future::pending()), 4);
    rig.apply(vec![job("a", "polite", 10), job("b", "deaf", 10)]).await;
    pass(12).await;
    let before = tokio::time::Instant::now();
    rig.runner.shutdown(Duration::from_secs(3)).await;
    assert!(before.elapsed() <= Duration::from_secs(10));
    let new = |id: &str| crate::store::NewJob::new(id, crate::store::JobState::default());
    let stored = store.open_jobs(vec![new("a"), new("b")]).await.unwrap();
    assert_eq!(stored[0].state.cursor.as_deref(), Some(b"7".as_slice()));
    assert_eq!(stored[1].state.errors, 0, "a tick that was cut short is no failure");
    assert!(stored.iter().all(|job| job.lease.is_none()));
    assert_eq!(rig.runner.list().await, Err(RunnerError::ShutDown));
}
