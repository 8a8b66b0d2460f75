//! Jobs whose ticks always panic or never end, among others that are well.

use super::*;

/// How late each run of the healthy jobs started, in milliseconds, sorted.
async fn delays(poison: bool) -> Vec<i64> {
    let rig = Rig::new();
    let late = Arc::new(Mutex::new(Vec::new()));
    let (noted, clock) = (Arc::clone(&late), Arc::clone(&rig.clock));
    let healthy = scripted("healthy", move |ctx| {
        // A job's first tick has no cursor; the others are told their slot by it.
        let slot = count_of(ctx.cursor.as_deref());
        if slot > 0 {
            noted.lock().unwrap().push(clock.now().0 - i64::try_from(slot).unwrap());
        }
        let next = clock.now().0 + i64::try_from(ctx.interval_hint.as_millis()).unwrap();
        async move { TickAck::with_cursor(&next) }
    });
    rig.register(healthy, 8);
    rig.register(scripted("panics", |_| async { panic!("always") }), 8);
    rig.register(scripted("hangs", |_| std::future::pending()), 8);
    let mut jobs: Vec<JobSpec> = (0..100).map(|n| job(&format!("well_{n}"), "healthy", 60)).collect();
    if poison {
        jobs.extend((0..10).map(|n| job(&format!("panics_{n}"), "panics", 60)));
        jobs.extend((0..10).map(|n| job(&format!("hangs_{n}"), "hangs", 60)));
    }
    rig.apply(jobs).await;
    pass(2 * 3600).await;
    if poison {
        for id in ["panics_0", "hangs_0"] {
            let status = rig.show(id).await;
            assert_eq!(status.phase, JobPhase::BreakerOpen, "{id}: {}", status.why);
        }
        // Five tries, then one after each cool-down of the breaker.
        assert!(rig.tick_count("panics_0") <= 30, "{} tries", rig.tick_count("panics_0"));
    }
    let mut late = late.lock().unwrap().clone();
    late.sort_unstable();
    late
}

#[tokio::test(start_paused = true)]
async fn poison_jobs_are_left_alone_and_delay_nobody_else() {
    let (alone, among) = (delays(false).await, delays(true).await);
    assert!(alone.len() > 11_000 && among.len() >= alone.len() - 100, "{} and {} runs", alone.len(), among.len());
    let p99 = |late: &[i64]| late[late.len() * 99 / 100];
    let (limit, value) = (p99(&alone).max(1), p99(&among).max(1));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let ratio = value as f64 / limit as f64;
    println!(
        "figure runner.poison_p99_delay_ms value={value} unit=ms limit={limit} ratio={ratio:.2} note=20-poison-jobs-among-100"
    );
    assert!(ratio < 1.1, "p99 {value} ms among poison, {limit} ms without");
}
