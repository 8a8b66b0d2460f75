use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::probe::{Probe, TIMEOUT, host, order};
use crate::broker::LocalBroker;
use crate::contract::ErrorClass;
use crate::plugin::{TickGrace, TickRunner};
use crate::prelude::*;
use crate::wire::{TickCancel, TickOrder};

fn runner(probe: &Probe) -> Arc<TickRunner> {
    Arc::new(probe.handler().ticks(Handle::current(), TickGrace::default()))
}

async fn run(ticks: &TickRunner, order: TickOrder) -> Result<TickAck, PollerError> {
    let host = host(&LocalBroker::new(), &order);
    ticks.run(order, host).await
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_kind_that_is_asked_for_runs() {
    let ticks = runner(&Probe::ready());
    assert_eq!(run(&ticks, order("a", json!({}))).await.unwrap(), TickAck::with_cursor("a").unwrap());
    let other = TickOrder { kind: "other".into(), ..order("a", json!({})) };
    assert_eq!(run(&ticks, other).await.unwrap(), TickAck::with_cursor("other").unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kind_is_permanent_and_answered_with_the_kinds_that_are_served() {
    let ticks = runner(&Probe::ready());
    let unknown = TickOrder { kind: "jira".into(), ..order("a", json!({})) };
    let error = run(&ticks, unknown).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert_eq!(error.to_string(), "job `a`: this plugin does not serve kind `jira`; it serves `probe`, `other`");
    let body = json!({"method": "poll_tick", "params": {"kind": "jira", "job_id": "a"}});
    let answer = ticks.answer(&body, |order| host(&LocalBroker::new(), order), true).await;
    assert_eq!(answer["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn a_bad_config_and_a_broken_cursor_are_answered_before_the_tick_starts() {
    let probe = Probe::ready();
    let ticks = runner(&probe);
    let answer = async |params| {
        let body = json!({"method": "poll_tick", "params": params});
        ticks.answer(&body, |order| host(&LocalBroker::new(), order), true).await["error"].clone()
    };
    let bad = answer(json!({"kind": "probe", "job_id": "a", "config": {"do": "bad"}})).await;
    assert_eq!(bad, json!({"code": -32602, "message": "config: `do` must not be bad"}));
    let broken = answer(json!({"kind": "probe", "job_id": "a", "cursor": "hunter2!"})).await;
    assert_eq!(broken["code"], -32002);
    let message = broken["message"].as_str().unwrap();
    assert!(message.contains("reset the job to start over") && !message.contains("hunter2"), "{message}");
    assert_eq!(probe.most.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_ticks_of_a_kind_run_at_once_than_it_allows() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let all: Vec<_> = (0..7)
        .map(|n| {
            let ticks = Arc::clone(&ticks);
            tokio::spawn(async move { run(&ticks, order(&n.to_string(), json!({}))).await })
        })
        .collect();
    until(|| probe.running() == 2).await;
    // The limit is each kind's own.
    assert!(run(&ticks, TickOrder { kind: "other".into(), ..order("x", json!({})) }).await.is_ok());
    probe.go.add_permits(7);
    for tick in all {
        tick.await.unwrap().unwrap();
    }
    assert_eq!(probe.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_finds_no_slot_within_its_deadline_is_told_to_come_back() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    // These two hold their slots for the grace that follows their deadline, too.
    for job in ["a", "b"] {
        ticks_forever(&ticks, job);
    }
    until(|| probe.running() == 2).await;
    let started = Instant::now();
    let error = run(&ticks, order("c", json!({}))).await.unwrap_err();
    assert_eq!((error.class(), started.elapsed()), (ErrorClass::Transient, TIMEOUT));
    assert!(error.to_string().contains("all 2 slots of kind `probe` were taken for 10 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_and_running_share_one_deadline() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let slow = ["a", "b"].map(|job| {
        let (ticks, order) = (Arc::clone(&ticks), order(job, json!({})));
        tokio::spawn(async move { run(&ticks, order).await })
    });
    until(|| probe.running() == 2).await;
    let started = Instant::now();
    let waits = ticks_forever(&ticks, "c");
    yield_now().await;
    tokio::time::advance(TIMEOUT / 2).await;
    probe.go.add_permits(2);
    for tick in slow {
        tick.await.unwrap().unwrap();
    }
    waits.await.unwrap();
    assert_eq!(started.elapsed(), TIMEOUT + TickGrace::default().deadline);
}

#[tokio::test(start_paused = true)]
async fn a_second_tick_of_a_job_is_refused_until_the_first_has_really_ended() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let first = {
        let (ticks, order) = (Arc::clone(&ticks), order("a", json!({})));
        tokio::spawn(async move { run(&ticks, order).await })
    };
    until(|| probe.running() == 1).await;
    let error = run(&ticks, order("a", json!({}))).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(error.to_string().starts_with("job `a`: its tick before this one still runs"), "{error}");
    // The same id of another agent is another job.
    let others = TickOrder { agent_id: "bob".into(), ..order("a", json!({})) };
    probe.go.add_permits(3);
    run(&ticks, others).await.unwrap();
    first.await.unwrap().unwrap();
    run(&ticks, order("a", json!({}))).await.unwrap();
    assert_eq!(probe.ended.load(Ordering::SeqCst), 3);
}

/// A tick that only its abandoning ends.
fn ticks_forever(ticks: &Arc<TickRunner>, job: &'static str) -> tokio::task::JoinHandle<()> {
    let ticks = Arc::clone(ticks);
    tokio::spawn(async move {
        run(&ticks, order(job, json!({"do": "ignore"}))).await.unwrap_err();
    })
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_tick_is_cancelled_and_what_it_still_returns_counts() {
    let started = Instant::now();
    let ack = run(&runner(&Probe::new()), order("a", json!({"do": "heed"}))).await.unwrap();
    assert_eq!(ack, TickAck::new().items(1, 1));
    assert_eq!(started.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_ignores_its_cancel_token_is_abandoned_and_frees_its_slot() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let started = Instant::now();
    let error = run(&ticks, order("a", json!({"do": "ignore"}))).await.unwrap_err();
    assert_eq!(started.elapsed(), TIMEOUT + TickGrace::default().deadline);
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(error.to_string().starts_with("job `a`: its tick did not end within 10 s"), "{error}");
    until(|| probe.ended.load(Ordering::SeqCst) == 1).await;
    probe.go.add_permits(2);
    for job in ["b", "c"] {
        run(&ticks, order(job, json!({}))).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_becomes_an_error_without_its_message_and_the_next_tick_runs() {
    let ticks = runner(&Probe::ready());
    for act in ["panic", "panic in validate"] {
        let error = run(&ticks, order("a", json!({"do": act}))).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient);
        let text = error.to_string();
        assert!(text.starts_with("job `a`: its tick panicked") && !text.contains("hunter2"), "{text}");
    }
    run(&ticks, order("b", json!({}))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_cancels_what_runs_refuses_what_comes_and_ends_within_the_grace() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let spawn = |act: &str| {
        let (ticks, order) = (Arc::clone(&ticks), order(act, json!({"do": act})));
        tokio::spawn(async move { run(&ticks, order).await })
    };
    let (heeds, ignores) = (spawn("heed"), spawn("ignore"));
    until(|| probe.running() == 2).await;
    let waits = spawn("wait for a slot");
    yield_now().await;
    let started = Instant::now();
    ticks.stop();
    assert!(heeds.await.unwrap().is_ok());
    assert_eq!(started.elapsed(), Duration::ZERO);
    for refused in [waits.await.unwrap(), run(&ticks, order("late", json!({}))).await] {
        let error = refused.unwrap_err();
        assert!(error.to_string().ends_with("the plugin is shutting down"), "{error}");
        assert_eq!(error.class(), ErrorClass::Transient);
    }
    let error = ignores.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("abandoned because the plugin is shutting down"), "{error}");
    assert_eq!(started.elapsed(), TickGrace::default().shutdown);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_tick_that_it_names_and_no_other() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let at = |secs: i64| DateTime::from_timestamp(secs, 0).unwrap();
    let spawn = |job: &str, act: &str| {
        let (ticks, order) = (Arc::clone(&ticks), TickOrder { now: at(1), ..order(job, json!({"do": act})) });
        tokio::spawn(async move { run(&ticks, order).await })
    };
    let (heeds, ignores) = (spawn("a", "heed"), spawn("b", "ignore"));
    until(|| probe.running() == 2).await;
    let waits = spawn("c", "wait for a slot");
    yield_now().await;
    let known = order("a", json!({}));
    let cancel = |job: &str, now: DateTime<Utc>| {
        let (kind, agent) = (known.kind.as_str(), known.agent_id.as_str());
        let body = json!({"kind": kind, "job_id": job, "agent_id": agent, "now": now.to_rfc3339()});
        ticks.cancel(&TickCancel::read(&body).unwrap());
    };
    // One that comes late is about the job's tick before this one.
    cancel("a", at(0));
    cancel("d", at(1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(probe.running(), 2);
    let started = Instant::now();
    cancel("a", at(1));
    assert!(heeds.await.unwrap().is_ok());
    assert_eq!(started.elapsed(), Duration::ZERO);
    cancel("c", at(1));
    cancel("b", at(1));
    let error = ignores.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("cancelled by the daemon, ignored its cancel token for 4 s"), "{error}");
    assert_eq!(started.elapsed(), TickGrace::default().shutdown);
    drop(waits);
}

#[tokio::test(start_paused = true)]
async fn a_tick_whose_caller_goes_away_is_aborted() {
    let probe = Probe::new();
    let ticks = runner(&probe);
    let caller = ticks_forever(&ticks, "a");
    until(|| probe.running() == 1).await;
    caller.abort();
    until(|| probe.running() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_publish_outside_the_manifest_is_refused_with_its_cause_and_goes_nowhere() {
    let broker = LocalBroker::new();
    let mut published = crate::broker::Broker::subscribe(&broker, "plugin.>", None).await.unwrap();
    let ticks = runner(&Probe::ready());
    let outside = order("a", json!({"do": "publish off the list"}));
    let error = ticks.run(outside.clone(), host(&broker, &outside)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert!(error.to_string().contains("[daemon.rpc.probe, plugin.outbound.>, _inbox.>]"), "{error}");
    let allowed = order("a", json!({"do": "publish"}));
    ticks.run(allowed.clone(), host(&broker, &allowed)).await.unwrap();
    assert_eq!(published.next().await.unwrap().event.topic, "plugin.outbound.console.a");
}

#[tokio::test(start_paused = true)]
async fn what_a_tick_left_behind_can_publish_nothing_once_it_is_over() {
    let broker = LocalBroker::new();
    let mut published = crate::broker::Broker::subscribe(&broker, "plugin.outbound.>", None).await.unwrap();
    let ticks = runner(&Probe::ready());
    let left = order("a", json!({"do": "leave a task behind"}));
    ticks.run(left.clone(), host(&broker, &left)).await.unwrap();
    let publishes = order("a", json!({"do": "publish"}));
    ticks.run(publishes.clone(), host(&broker, &publishes)).await.unwrap();
    let first = published.next().await.unwrap();
    assert_eq!(first.event.topic, "plugin.outbound.console.a", "the task left behind has published");
}
