use std::collections::HashSet;

use super::*;

fn two_on_one(store: &Arc<MemoryStore>, clock: &Arc<VirtualClock>) -> (Rig, Rig) {
    let rig = || Rig::on(Arc::clone(store) as Arc<dyn StateStore>, Arc::clone(clock), RunnerOptions::default());
    (rig(), rig())
}

#[tokio::test(start_paused = true)]
async fn two_runners_on_one_store_share_the_jobs_without_overlap() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let (ana, bob) = two_on_one(&store, &clock);
    let running = Arc::new(Mutex::new(HashSet::new()));
    for rig in [&ana, &bob] {
        let running = Arc::clone(&running);
        let poller = scripted("slow", move |ctx| {
            let running = Arc::clone(&running);
            async move {
                assert!(running.lock().unwrap().insert(ctx.job_id.clone()), "{} runs twice at once", ctx.job_id);
                tokio::time::sleep(Duration::from_millis(900)).await;
                running.lock().unwrap().remove(&ctx.job_id);
                TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1))
            }
        });
        rig.register(poller, 64);
        rig.apply((0..50).map(|n| job(&format!("job_{n}"), "slow", 20)).collect()).await;
    }
    pass(600).await;
    let mut keys = HashSet::new();
    for rig in [&ana, &bob] {
        for (id, ticks) in rig.ticks() {
            for tick in ticks {
                assert!(keys.insert((id.clone(), tick.run_key)), "run {:?} of {id} ran in both", tick.run_key);
            }
        }
        assert!(rig.runner.list().await.unwrap().iter().all(|job| job.ticks_failed == 0));
    }
    assert!(keys.len() >= 50 * 28, "{} runs", keys.len());
}

#[tokio::test(start_paused = true)]
async fn a_lost_holder_is_replaced_within_its_lease_and_a_second() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let dead: Arc<str> = "dead".into();
    let state = first_state(&job("a", "count", 60));
    let stored = store.open_jobs(vec![crate::store::NewJob::new("a", state)]).await.unwrap().remove(0);
    let ttl = Duration::from_secs(40);
    pass(60).await;
    let claim = crate::store::Claim { key: stored.key, revision: stored.revision, epoch: stored.epoch, ttl };
    store.write(crate::store::Batch { claims: vec![claim], ..crate::store::Batch::of(dead) }).await.unwrap();
    let rig = Rig::on(store, Arc::clone(&clock), RunnerOptions::default());
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "count", 60)]).await;
    pass(5).await;
    let status = rig.show("a").await;
    assert_eq!(status.phase, JobPhase::Elsewhere);
    assert!(status.why.contains("`dead` holds its lease until"), "{}", status.why);
    assert!(matches!(rig.runner.run_now("a").await, Err(RunnerError::Held { .. })));
    pass(36).await;
    assert_eq!(rig.show("a").await.ticks_ok, 1);
    let metrics = rig.runner.metrics_text().await.unwrap();
    assert!(metrics.contains(r#"poller_lease_takeovers_total{job_id="a"} 1"#), "{metrics}");
}

fn first_state(spec: &JobSpec) -> crate::store::JobState {
    let rule = policy::JobRule {
        schedule: &spec.schedule,
        catch_up: spec.catch_up,
        seed: policy::seed_of(&spec.id),
        config: 0,
    };
    let rules = policy::Rules::from(&RunnerOptions::default());
    policy::adopt(&rule, &rules, crate::store::JobState::default(), START)
}
