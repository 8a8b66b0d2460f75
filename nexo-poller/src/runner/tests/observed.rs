use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_every_run_and_of_what_it_led_to() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let observer = Observer::new(move |event| {
        let line = match event.what {
            RunnerEventKind::Started { attempt, .. } => format!("start {attempt}"),
            RunnerEventKind::Ended { outcome, state, .. } => format!("{} {}", outcome.as_str(), state.errors),
            RunnerEventKind::Changed { change, .. } => format!("{change:?}"),
            other => format!("{other:?}"),
        };
        told.lock().unwrap().push((event.job.map(str::to_owned), line));
    });
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let rig = Rig::on(store, clock, RunnerOptions { observer: Some(observer), ..RunnerOptions::default() });
    let works = AtomicBool::new(false);
    let fails_once = scripted("flaky", move |_| {
        let works = works.swap(true, Ordering::SeqCst);
        async move { if works { Ok(TickAck::new()) } else { Err(PollerError::transient("away")) } }
    });
    rig.register(fails_once, 1);
    rig.apply(vec![job("a", "flaky", 60)]).await;
    pass(70).await;
    rig.runner.reset("a").await.unwrap();
    let seen: Vec<_> = seen.lock().unwrap().drain(..).collect();
    assert!(seen.iter().all(|(job, _)| job.as_deref() == Some("a")));
    let lines: Vec<_> = seen.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["start 0", "transient 1", "start 1", "ok 0", "Reset"]);
}
