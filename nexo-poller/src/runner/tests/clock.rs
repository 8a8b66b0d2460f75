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

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_years_ahead_for_a_while_stops_no_job_once_it_is_right() {
    const YEARS: i64 = 4 * 365 * 86_400_000;
    // It is set right while the runner runs, or while it does not; and it was wrong from the start, or only later.
    for (restarts, wrong_from_the_start) in [(false, false), (true, false), (false, true), (true, true)] {
        let start = if wrong_from_the_start { START.plus(Duration::from_millis(YEARS.unsigned_abs())) } else { START };
        let clock = Arc::new(VirtualClock::at(start));
        let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
        let minutely = Schedule::cron("0 * * * * *", None).unwrap();
        let yearly = Schedule::cron("0 0 0 1 1 *", None).unwrap();
        let cron = |id: &str, schedule: &Schedule| JobSpec::new(id, "count", "ana", schedule.clone());
        let jobs = vec![cron("cron", &minutely), cron("rare", &yearly), job("often", "count", 60)];
        let rig = async |store: &Arc<MemoryStore>| {
            let rig = Rig::on(Arc::clone(store) as Arc<dyn StateStore>, Arc::clone(&clock), RunnerOptions::default());
            rig.register(counting("count"), 4);
            rig.apply(jobs.clone()).await;
            rig
        };
        let mut runner = rig(&store).await;
        pass(if wrong_from_the_start { 0 } else { 180 }).await;
        if !wrong_from_the_start {
            clock.jump(YEARS);
        }
        pass(if wrong_from_the_start { 1 } else { 180 }).await;
        let before = runner.ticks();
        if restarts {
            runner.runner.shutdown(Duration::from_secs(1)).await;
            clock.jump(-YEARS);
            runner = rig(&store).await;
        } else {
            clock.jump(-YEARS);
        }
        pass(40).await;
        let known = |id: &str| if restarts { 0 } else { before.get(id).map_or(0, Vec::len) };
        let from = (runner.tick_count("cron").max(known("cron")), runner.tick_count("often").max(known("often")));
        pass(600).await;
        for (id, from) in [("cron", from.0), ("often", from.1)] {
            let ran = runner.tick_count(id) - from;
            assert!((9..=11).contains(&ran), "{id} ran {ran} times, {restarts} {wrong_from_the_start}");
        }
        let next = runner.show("rare").await.next_due.unwrap();
        assert!(next.since(clock.now()) < Duration::from_secs(367 * 86_400), "{next}");
        let later = runner.ticks();
        for id in ["cron", "often"] {
            let all = before.get(id).into_iter().chain(later.get(id).filter(|_| restarts)).flatten();
            let all: Vec<_> = if restarts { all.collect() } else { later[id].iter().collect() };
            let keys: HashSet<_> = all.iter().map(|tick| tick.run_key).collect();
            assert_eq!(keys.len(), all.len(), "a run key of {id} repeats");
        }
    }
}
