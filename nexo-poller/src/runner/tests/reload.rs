use super::*;

#[tokio::test(start_paused = true)]
async fn a_reload_adds_replaces_removes_and_keeps_without_losing_a_cursor() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.apply(vec![job("gone", "count", 60), job("kept", "count", 60), job("moved", "count", 3600)]).await;
    pass(3600).await;
    let kept = rig.show("kept").await;
    let jobs = vec![job("kept", "count", 60), job("moved", "count", 10), job("new", "count", 60)];
    let plan = rig.runner.plan(&jobs).await.unwrap();
    assert_eq!(plan, rig.apply(jobs).await);
    assert_eq!((plan.add, plan.replace), (vec!["new".to_owned()], vec!["moved".to_owned()]));
    assert_eq!((plan.remove, plan.keep), (vec!["gone".to_owned()], vec!["kept".to_owned()]));
    assert_eq!(rig.show("kept").await.next_slot, kept.next_slot);
    pass(10).await;
    assert_eq!(rig.show("moved").await.ticks_ok, 2);
    let ticks = rig.ticks().remove("moved").unwrap();
    assert_eq!(count_of(ticks[1].cursor_before.as_deref()), 1);
    // Back again, from its old cursor.
    rig.apply(vec![job("gone", "count", 60)]).await;
    pass(61).await;
    let ticks = rig.ticks().remove("gone").unwrap();
    assert_eq!(count_of(ticks[60].cursor_before.as_deref()), 60);
}

#[tokio::test(start_paused = true)]
async fn a_bad_job_is_reported_and_its_siblings_load() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    let nobody = JobSpec { agent: String::new(), ..job("nobody", "count", 60) };
    let plan = rig.apply(vec![job("a", "count", 60), nobody, job("a", "count", 5), job("x", "Count", 60)]).await;
    assert_eq!(plan.add, ["a"]);
    let rejected: Vec<_> = plan.rejected.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(rejected, ["nobody", "a", "x"]);
    assert!(plan.rejected[0].reason.contains("`agent` is empty"), "{}", plan.rejected[0].reason);
    pass(60).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1, "the first definition counts");
}

#[tokio::test(start_paused = true)]
async fn a_refused_config_quarantines_its_job_and_a_good_one_resumes_it() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    let bad = job("a", "count", 60).with_config(json!({"bad": 1}));
    rig.apply(vec![bad, job("b", "count", 60)]).await;
    pass(120).await;
    let status = rig.show("a").await;
    assert_eq!((status.phase, status.ticks_ok), (JobPhase::Quarantined, 0));
    assert!(status.why.contains("`bad` is not a known key"), "{}", status.why);
    assert!(matches!(rig.runner.run_now("a").await, Err(RunnerError::Quarantined { .. })));
    assert_eq!(rig.show("b").await.ticks_ok, 2);
    rig.apply(vec![job("a", "count", 60), job("b", "count", 60)]).await;
    pass(61).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_paused_on_boot_waits_for_its_resume() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.apply(vec![JobSpec { paused_on_boot: true, ..job("a", "count", 60) }]).await;
    pass(300).await;
    let status = rig.show("a").await;
    assert_eq!((status.phase, status.ticks_ok), (JobPhase::Paused, 0));
    rig.runner.resume("a").await.unwrap();
    pass(60).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_removed_while_it_runs_ends_its_tick_first() {
    let rig = Rig::new();
    let poller = scripted("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        TickAck::with_cursor(&1)
    });
    rig.register(poller, 4);
    rig.apply(vec![job("a", "slow", 30)]).await;
    while rig.show("a").await.phase != JobPhase::Running {
        pass(1).await;
    }
    rig.apply(vec![]).await;
    assert_eq!(rig.show("a").await.phase, JobPhase::Running);
    pass(10).await;
    assert!(matches!(rig.runner.show("a").await, Err(RunnerError::UnknownJob { .. })));
}

#[tokio::test(start_paused = true)]
async fn next_lists_what_then_happens() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    let schedule = Schedule::cron("0 */20 * * * *", None).unwrap();
    rig.apply(vec![JobSpec::new("a", "count", "ana", schedule)]).await;
    let foretold = rig.runner.next_firings("a", 5).await.unwrap();
    assert_eq!(foretold.len(), 5);
    for at in foretold {
        let status = rig.show("a").await;
        assert_eq!(status.next_due, Some(at));
        pass(at.since(rig.clock.now()).as_secs() + 2).await;
    }
    assert_eq!(rig.tick_count("a"), 5);
}

#[tokio::test(start_paused = true)]
async fn a_pause_during_a_tick_holds_and_the_tick_still_counts() {
    let rig = Rig::new();
    let poller = scripted("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        TickAck::with_cursor(&1)
    });
    rig.register(poller, 4);
    rig.apply(vec![job("a", "slow", 30)]).await;
    while rig.show("a").await.phase != JobPhase::Running {
        pass(1).await;
    }
    rig.runner.pause("a", "maintenance", "ana").await.unwrap();
    pass(300).await;
    let status = rig.show("a").await;
    assert_eq!((status.phase, status.ticks_ok, status.cursor_bytes), (JobPhase::Paused, 1, 1));
    assert!(status.why.starts_with("paused by ana since "), "{}", status.why);
}

#[tokio::test(start_paused = true)]
async fn a_reset_during_a_tick_voids_its_outcome() {
    let rig = Rig::new();
    let poller = scripted("slow", |ctx| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1))
    });
    rig.register(poller, 4);
    rig.apply(vec![job("a", "slow", 30)]).await;
    while rig.show("a").await.phase != JobPhase::Running {
        pass(1).await;
    }
    rig.runner.reset("a").await.unwrap();
    pass(10).await;
    assert_eq!(rig.show("a").await.cursor_bytes, 0);
    pass(60).await;
    assert!(rig.show("a").await.ticks_ok >= 1, "it goes on from the beginning");
}

#[tokio::test(start_paused = true)]
async fn a_config_that_turns_bad_while_a_tick_runs_quarantines_the_job_and_the_tick_still_counts() {
    let rig = Rig::new();
    let poller = scripted("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        TickAck::with_cursor(&1)
    });
    rig.register(poller, 1);
    rig.apply(vec![job("a", "slow", 30)]).await;
    while rig.show("a").await.phase != JobPhase::Running {
        pass(1).await;
    }
    // With a place of its kind only, a second tick at once would show as an overlap.
    rig.apply(vec![job("a", "slow", 30).with_config(json!({"bad": 1})), job("b", "slow", 30)]).await;
    assert_eq!(rig.show("a").await.phase, JobPhase::Running);
    pass(300).await;
    let status = rig.show("a").await;
    assert_eq!((status.phase, status.ticks_ok, status.cursor_bytes), (JobPhase::Quarantined, 1, 1));
    assert!(rig.show("b").await.ticks_ok >= 9, "the place is given back, once");
    rig.apply(vec![job("a", "slow", 30)]).await;
    pass(60).await;
    assert!(rig.show("a").await.ticks_ok > 1);
}
