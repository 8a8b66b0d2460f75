use super::*;
use crate::runner::Sharing;

/// A runner that shares its jobs with `other`.
fn rig(store: &Arc<MemoryStore>, clock: &Arc<VirtualClock>, me: &str, other: &str) -> (Rig, Arc<Sharing>) {
    let sharing = Arc::new(Sharing::new(me, Duration::from_secs(30)));
    sharing.set_others([other.to_owned()]);
    let options =
        RunnerOptions { owner: me.to_owned(), sharing: Some(Arc::clone(&sharing)), ..RunnerOptions::default() };
    (Rig::on(Arc::clone(store) as Arc<dyn StateStore>, Arc::clone(clock), options), sharing)
}

fn ran(rig: &Rig) -> usize {
    rig.ticks().values().map(Vec::len).sum()
}

#[tokio::test(start_paused = true)]
async fn each_runs_its_part_takes_the_rest_when_it_is_alone_and_hands_it_back() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let ((ana, _), (bob, bobs)) = (rig(&store, &clock, "ana", "bob"), rig(&store, &clock, "bob", "ana"));
    let jobs: Vec<_> = (0..40).map(|n| job(&format!("job_{n}"), "count", 10)).collect();
    for rig in [&ana, &bob] {
        rig.register(counting("count"), 64);
        rig.apply(jobs.clone()).await;
    }
    pass(100).await;
    for (id, ticks) in ana.ticks() {
        assert_eq!(bobs.preferred(&id), "ana", "{id} ran {} times at ana's", ticks.len());
    }
    let (first, second) = (ran(&ana), ran(&bob));
    assert!(first > 100 && second > 100 && first + second >= 360, "{first} and {second}");

    ana.runner.shutdown(Duration::from_secs(1)).await;
    bobs.set_others([]);
    pass(60).await;
    assert_eq!(ran(&ana), first);
    assert!(ran(&bob) >= second + 5 * 40, "bob runs all of them now: {}", ran(&bob) - second);

    let (ana, _) = rig(&store, &clock, "ana", "bob");
    ana.register(counting("count"), 64);
    ana.apply(jobs).await;
    bobs.set_others(["ana".to_owned()]);
    pass(15).await;
    let before = ran(&bob);
    pass(60).await;
    let (part, hers) = (ran(&bob) - before, ran(&ana));
    assert!(hers > 50 && part <= second, "ana has her part back: {hers}, and bob ran {part}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_alive_and_does_nothing_is_stood_in_for() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let (bob, _) = rig(&store, &clock, "bob", "ana");
    bob.register(counting("count"), 64);
    bob.apply((0..40).map(|n| job(&format!("job_{n}"), "count", 10)).collect()).await;
    pass(120).await;
    assert!((0..40).all(|n| bob.ticks().contains_key(&format!("job_{n}"))), "no job waits for ever");
}

#[tokio::test(start_paused = true)]
async fn what_another_daemon_was_told_reaches_the_one_that_runs_the_job() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let ((ana, sharing), (bob, _)) = (rig(&store, &clock, "ana", "bob"), rig(&store, &clock, "bob", "ana"));
    let id = (0..).map(|n| format!("job_{n}")).find(|id| sharing.preferred(id) == "bob").unwrap();
    for rig in [&ana, &bob] {
        rig.register(counting("count"), 4);
        rig.apply(vec![job(&id, "count", 10)]).await;
    }
    pass(25).await;
    for (paused, phase) in [(true, JobPhase::Paused), (false, JobPhase::Scheduled)] {
        if paused {
            ana.runner.pause(&id, "why not", "operator").await.unwrap();
        } else {
            ana.runner.resume(&id).await.unwrap();
        }
        bob.runner.refresh(&id);
        pass(1).await;
        assert_eq!(bob.show(&id).await.phase, phase);
    }
    let before = ran(&bob);
    pass(30).await;
    assert!(ran(&bob) >= before + 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_resumed_while_its_daemon_was_cut_off_runs_there_once_that_is_back() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let ((ana, _), (bob, bobs)) = (rig(&store, &clock, "ana", "bob"), rig(&store, &clock, "bob", "ana"));
    let id = (0..).map(|n| format!("job_{n}")).find(|id| bobs.preferred(id) == "bob").unwrap();
    for rig in [&ana, &bob] {
        rig.register(counting("count"), 4);
        rig.apply(vec![job(&id, "count", 10)]).await;
    }
    pass(5).await;
    bob.runner.pause(&id, "why not", "operator").await.unwrap();
    bobs.set_others([]);
    pass(5).await;
    ana.runner.refresh(&id);
    pass(1).await;
    // Bob does not hear of it.
    ana.runner.resume(&id).await.unwrap();
    pass(1).await;
    assert_eq!(bob.show(&id).await.phase, JobPhase::Paused);
    bobs.set_others(["ana".to_owned()]);
    pass(1).await;
    assert_eq!(bob.show(&id).await.phase, JobPhase::Scheduled);
    let before = ran(&bob);
    pass(60).await;
    assert!(ran(&bob) >= before + 5);
}

#[tokio::test(start_paused = true)]
async fn a_job_paused_on_boot_is_paused_when_it_comes_and_not_again_when_another_daemon_starts() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let (ana, _) = rig(&store, &clock, "ana", "bob");
    let spec = JobSpec { paused_on_boot: true, ..job("a", "count", 10) };
    ana.register(counting("count"), 4);
    ana.apply(vec![spec.clone()]).await;
    pass(5).await;
    assert_eq!(ana.show("a").await.phase, JobPhase::Paused);
    ana.runner.resume("a").await.unwrap();
    let (bob, _) = rig(&store, &clock, "bob", "ana");
    bob.register(counting("count"), 4);
    bob.apply(vec![spec]).await;
    pass(60).await;
    assert_eq!(bob.show("a").await.paused, None);
    assert!(ran(&ana) + ran(&bob) >= 2);
}
