use std::collections::HashSet;

use super::*;

async fn no_run_key_repeats(rig: &Rig, jump_ms: i64) {
    let daily = Schedule::cron("0 0 10 * * *", Some("America/Bogota")).unwrap();
    rig.apply(vec![job("often", "count", 60), JobSpec::new("daily", "count", "ana", daily)]).await;
    pass(3600).await;
    let before = rig.tick_count("often");
    rig.clock.jump(jump_ms);
    pass(3600).await;
    let after = rig.tick_count("often") - before;
    assert!((58..=62).contains(&after), "{after} runs in the hour after a jump of {jump_ms} ms");
    for (id, ticks) in rig.ticks() {
        let keys: HashSet<_> = ticks.iter().map(|tick| tick.run_key).collect();
        assert_eq!(keys.len(), ticks.len(), "a run key of {id} repeats after a jump of {jump_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn setting_the_clock_repeats_no_run_and_stops_no_job() {
    const HOUR: i64 = 3_600_000;
    for jump in [HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 8 * HOUR] {
        let rig = Rig::new();
        rig.register(counting("count"), 4);
        no_run_key_repeats(&rig, jump).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_six_hours_down_a_thousand_jobs_run_once_each_and_spread_over_a_minute() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let jobs: Vec<_> = (0..1000).map(|n| job(&format!("job_{n}"), "count", 1800)).collect();
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, Arc::clone(&clock), RunnerOptions::default());
    rig.register(counting("count"), 64);
    rig.apply(jobs.clone()).await;
    pass(1800).await;
    rig.runner.shutdown(Duration::from_secs(5)).await;

    clock.jump(6 * 3_600_000);
    let rig = Rig::on(store, Arc::clone(&clock), RunnerOptions::default());
    rig.register(counting("count"), 64);
    rig.apply(jobs).await;
    let mut starts = Vec::new();
    for _ in 0..65 {
        let before = rig.hosts.ticks.lock().unwrap().len();
        pass(1).await;
        starts.push(rig.hosts.ticks.lock().unwrap().len() - before);
    }
    // A slot of the half-hourly schedule that falls into this minute is a run of its own.
    let total: usize = starts.iter().sum();
    assert!((1000..1050).contains(&total), "{total}");
    assert!(*starts.iter().max().unwrap() <= 50, "the busiest second started {} ticks", starts.iter().max().unwrap());
    let busy = starts.iter().filter(|count| **count > 0).count();
    assert!(busy >= 58, "{busy} of 60 seconds were used");
}
