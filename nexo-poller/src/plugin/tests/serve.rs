use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use super::probe::Probe;
use crate::broker::{Broker, BrokerError, LocalBroker};
use crate::plugin::{TickGrace, TickServer};
use crate::prelude::*;
use crate::wire::{Event, HostCall, result_body};

const PATIENCE: Duration = Duration::from_secs(30);

/// A plugin on `broker`; sending on the channel stops it.
async fn plugin(broker: &LocalBroker, probe: &Probe) -> (oneshot::Sender<()>, JoinHandle<Result<(), BrokerError>>) {
    let handler = probe.handler();
    let ticks = Arc::new(handler.ticks(Handle::current(), TickGrace::default()));
    let server = TickServer::new(Arc::new(broker.clone()), ticks, &handler.manifest().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move { server.serve(async { drop(stopped.await) }).await });
    while !broker.has_listeners("plugin.poller.probe.tick") {
        yield_now().await;
    }
    (stop, serving)
}

fn tick(job: &str, config: impl Into<Value>) -> Value {
    json!({"method": "poll_tick", "params": {"kind": "probe", "job_id": job, "agent_id": "ana", "config": config.into()}})
}

async fn ask(broker: &LocalBroker, body: Value) -> Value {
    broker.request("plugin.poller.probe.tick", "daemon", body, PATIENCE).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tick_is_answered_with_its_result_also_where_published_daemons_look() {
    let broker = LocalBroker::new();
    let (_stop, _serving) = plugin(&broker, &Probe::ready()).await;
    let answer = ask(&broker, tick("a", json!({}))).await;
    assert_eq!(answer, json!({"result": {"next_cursor": "ImEi"}, "next_cursor": "ImEi"}));
}

#[tokio::test(start_paused = true)]
async fn the_parameters_alone_are_understood_and_other_methods_are_not() {
    let broker = LocalBroker::new();
    let (_stop, _serving) = plugin(&broker, &Probe::ready()).await;
    let answer = ask(&broker, tick("a", json!({}))["params"].clone()).await;
    assert_eq!(answer["result"]["next_cursor"], "ImEi");
    assert_eq!(ask(&broker, json!({"method": "poll_tock", "params": {}})).await["error"]["code"], -32601);
    assert_eq!(ask(&broker, json!({"method": "poll_tick", "params": {"kind": 5}})).await["error"]["code"], -32600);
}

#[tokio::test(start_paused = true)]
async fn a_tick_asks_the_daemon_through_the_same_broker() {
    let broker = LocalBroker::new();
    let mut calls = broker.subscribe("daemon.rpc.probe", None).await.unwrap();
    let (_stop, _serving) = plugin(&broker, &Probe::ready()).await;
    let daemon = broker.clone();
    tokio::spawn(async move {
        let delivery = calls.next().await.unwrap();
        let (body, reply_to) = delivery.request();
        let call = HostCall::read(body).unwrap();
        assert_eq!((call.agent_id.as_str(), call.job_id.as_str()), ("ana", "a"));
        daemon.respond(&reply_to.unwrap(), "daemon", result_body(json!({"account_id": "g"}))).await.unwrap();
    });
    let answer = ask(&broker, tick("a", json!({"do": "credentials"}))).await;
    assert_eq!(answer["result"]["next_cursor"], crate::wire::encode_cursor(b"\"g\""));
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_plugin_share_the_ticks_between_them() {
    let broker = LocalBroker::new();
    let (one, two) = (Probe::ready(), Probe::ready());
    let (_stop_one, _serving_one) = plugin(&broker, &one).await;
    let (_stop_two, _serving_two) = plugin(&broker, &two).await;
    yield_now().await;
    for n in 0..6 {
        ask(&broker, tick(&n.to_string(), json!({}))).await;
    }
    let ended = |probe: &Probe| probe.ended.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!((ended(&one) + ended(&two), ended(&one)), (6, 3));
}

#[tokio::test(start_paused = true)]
async fn stopping_answers_the_ticks_that_run_before_it_returns() {
    let broker = LocalBroker::new();
    let probe = Probe::new();
    let (stop, serving) = plugin(&broker, &probe).await;
    let asking = broker.clone();
    let answer = tokio::spawn(async move { ask(&asking, tick("a", json!({"do": "heed"}))).await });
    while probe.running() == 0 {
        yield_now().await;
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert_eq!(answer.await.unwrap()["result"]["metrics"]["items_seen"], 1);
    assert!(!broker.has_listeners("plugin.poller.probe.tick"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_runs_nothing() {
    let broker = LocalBroker::new();
    let probe = Probe::ready();
    let (_stop, _serving) = plugin(&broker, &probe).await;
    broker.publish(Event::new("plugin.poller.probe.tick", "daemon", tick("a", json!({})))).await.unwrap();
    ask(&broker, tick("b", json!({}))).await;
    assert_eq!(probe.ended.load(std::sync::atomic::Ordering::SeqCst), 1);
}
