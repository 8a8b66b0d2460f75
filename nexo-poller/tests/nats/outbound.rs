//! A message is stored once, however often the tick that publishes it is repeated.
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::process::{Child, Stdio};
use std::time::Duration;

use nexo_poller::broker::{Broker, NatsBroker, NatsOptions, Subscription};
use nexo_poller_testkit::NatsServer;
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);

fn copy(server: &NatsServer) -> Child {
    let mut command = fixtures::chatty();
    command.env("NEXO_BROKER_URL", server.url()).env("NEXO_BROKER_STORED", "plugin.outbound.>");
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Orders a tick that does `act`, waiting for a copy that listens.
async fn order(broker: &NatsBroker, cursor: &str, act: &str) -> Value {
    let body = json!({"method": "poll_tick", "params": {
        "kind": "chatty", "job_id": "j", "agent_id": "ana", "cursor": cursor, "config": {"do": act}}});
    loop {
        match broker.request("plugin.poller.chatty.tick", "daemon", body.clone(), LONG).await {
            Ok(answer) => return answer,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Answers the calls of ticks with null.
async fn answer_calls(broker: NatsBroker, mut calls: Subscription) {
    while let Some(delivery) = calls.next().await {
        if let (_, Some(to)) = delivery.request() {
            broker.respond(&to, "daemon", json!({"result": null})).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_tick_that_dies_between_its_publish_and_its_outcome_stores_nothing_twice() {
    let server = NatsServer::start().unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let request = json!({"name": "OUT", "subjects": ["plugin.outbound.>"], "storage": "file", "retention": "limits",
        "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1, "discard": "old",
        "duplicate_window": 120_000_000_000_u64});
    let made = client.request("$JS.API.STREAM.CREATE.OUT", request.to_string().into()).await.unwrap();
    assert!(!String::from_utf8_lossy(&made.payload).contains("\"error\""), "{made:?}");
    let stored = || async {
        let info = client.request("$JS.API.STREAM.INFO.OUT", "".into()).await.unwrap();
        let info: Value = serde_json::from_slice(&info.payload).unwrap();
        info["state"]["messages"].as_u64().unwrap()
    };

    let broker = NatsBroker::connect(NatsOptions::new(&server.url()).unwrap()).await.unwrap();
    let mut calls = broker.subscribe("daemon.rpc.chatty", None).await.unwrap();
    let mut first = copy(&server);
    let dying = tokio::spawn({
        let broker = broker.clone();
        async move { order(&broker, "MQ", "publish").await }
    });
    // Its publish is confirmed before it asks for anything else: now it waits for us, and dies.
    let asked = tokio::time::timeout(LONG, calls.next()).await.unwrap().unwrap();
    assert_eq!(asked.request().0["method"], "log");
    assert_eq!(stored().await, 1);
    first.kill().unwrap();
    first.wait().unwrap();
    dying.abort();

    let answering = tokio::spawn(answer_calls(broker.clone(), calls));
    let mut second = copy(&server);
    assert_eq!(order(&broker, "MQ", "publish").await["result"], json!({}));
    assert_eq!(stored().await, 1, "the repeated tick has the same ids");
    assert_eq!(order(&broker, "Mg", "publish").await["result"], json!({}));
    assert_eq!(stored().await, 2, "from another cursor it is another message");
    for _ in 0..2 {
        assert_eq!(order(&broker, "Mw", "publish_twice").await["result"], json!({}));
        assert_eq!(
            stored().await,
            4,
            "two items that come to the same message are two messages, and no more when repeated"
        );
    }
    second.kill().unwrap();
    second.wait().unwrap();
    answering.abort();
}
