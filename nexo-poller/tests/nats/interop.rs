//! Plugins and daemons of others, byte for byte, on a real server: `vectors/nats.json`.
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use nexo_poller::broker::{Broker, NatsBroker, NatsOptions};
use nexo_poller::manifest::Manifest;
use nexo_poller::prelude::*;
use nexo_poller::router::{PluginPollerRouter, serve_calls, serve_relayed_calls};
use nexo_poller_testkit::NatsServer;

use crate::no_host::NoHost;

const LONG: Duration = Duration::from_secs(30);
const TOPIC: &str = "plugin.poller.chatty.tick";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/nats.json")).unwrap()
}

/// The bytes of a vector, with the place of the answer put in.
fn bytes(message: &Value, reply_to: &str) -> bytes::Bytes {
    message.to_string().replace("REPLY", reply_to).into()
}

#[tokio::test]
async fn daemons_of_others_can_tick_our_plugin() {
    let server = NatsServer::start().unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut command = fixtures::chatty();
    command.env("NEXO_BROKER_URL", server.url()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut copy = command.spawn().unwrap();
    while client.request(TOPIC, "{}".into()).await.is_err() {
        tokio::task::yield_now().await;
    }
    for (number, case) in vectors()["ticks"].as_array().unwrap().iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let reply_to = format!("_inbox.req.{number}");
        let mut answers = client.subscribe(reply_to.clone()).await.unwrap();
        let message = match case["text"].as_str() {
            Some(text) => text.to_owned().into(),
            None => bytes(&case["message"], &reply_to),
        };
        if case["native"] == true {
            client.publish_with_reply(TOPIC, reply_to.clone(), message).await.unwrap();
        } else {
            client.publish(TOPIC, message).await.unwrap();
        }
        let answer = tokio::time::timeout(LONG, answers.next()).await.unwrap_or_else(|_| panic!("{name}: silence"));
        let answer: Value = serde_json::from_slice(&answer.unwrap().payload).unwrap();
        let body = match case["answer"].as_str().unwrap() {
            "bare" => &answer,
            _ => {
                for key in ["id", "timestamp", "topic", "source", "session_id", "payload"] {
                    assert!(answer.get(key).is_some(), "{name}: an event has `{key}`: {answer}");
                }
                assert_eq!((&answer["topic"], &answer["source"]), (&json!(reply_to), &json!("chatty")), "{name}");
                &answer["payload"]["payload"]
            }
        };
        assert_eq!(*body, case["body"], "{name}");
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
}

#[tokio::test]
async fn a_call_that_cannot_be_read_gets_the_reason_from_daemons_that_share_a_server_and_by_one_that_has_it_alone() {
    let server = NatsServer::start().unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let broker = NatsBroker::connect(NatsOptions::new(&server.url()).unwrap().with_name("daemon")).await.unwrap();
    let broker: Arc<dyn Broker> = Arc::new(broker);
    let in_flight = PluginPollerRouter::new(Arc::clone(&broker)).in_flight();
    tokio::spawn(serve_calls(Arc::clone(&broker), in_flight.clone(), "alone".to_owned()));
    tokio::spawn(serve_relayed_calls(broker, in_flight, "shared".to_owned()));
    for plugin in ["alone", "shared"] {
        let topic = format!("daemon.rpc.{plugin}");
        while client.request(topic.clone(), "{}".into()).await.is_err() {
            tokio::task::yield_now().await;
        }
        let answer = client.request(topic.clone(), "hello?".into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(answer, json!({"error": {"code": -32700, "message": "the request is not JSON"}}), "{plugin}");
        let deep = format!(r#"{{"method":"log","params":{}1{}}}"#, "[".repeat(300), "]".repeat(300));
        let answer = client.request(topic, deep.into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(answer["error"]["code"], -32002, "{plugin}: JSON, and too deep: {answer}");
    }
}

#[tokio::test]
async fn plugins_of_others_can_answer_our_daemon() {
    let server = NatsServer::start().unwrap();
    let broker = NatsBroker::connect(NatsOptions::new(&server.url()).unwrap().with_name("daemon")).await.unwrap();
    let router = PluginPollerRouter::new(Arc::new(broker));
    let manifest = fixtures::chatty().arg("--print-manifest").output().unwrap().stdout;
    let manifest = Manifest::parse(std::str::from_utf8(&manifest).unwrap(), "the fixture").unwrap();
    let poller = Arc::clone(&router.register_remote(&manifest).unwrap()[0].poller);

    let client = async_nats::connect(server.url()).await.unwrap();
    let mut orders = client.queue_subscribe(TOPIC, "chatty".to_owned()).await.unwrap();
    // A flush is not enough: once this is answered, the server has heard of the subscription before it.
    client.request("nobody.listens", "".into()).await.unwrap_err();
    for case in vectors()["answers"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let ctx = context();
        let ticking = poller.tick(&ctx);
        let answering = async {
            let order = tokio::time::timeout(LONG, orders.next()).await.unwrap().unwrap();
            let event: Value = serde_json::from_slice(&order.payload).unwrap();
            let message = &event["payload"];
            assert_eq!(message["payload"]["method"], "poll_tick");
            assert_eq!(message["payload"]["params"]["cursor"], "MQ");
            let reply_to = message["reply_to"].as_str().unwrap();
            assert!(reply_to.starts_with("_inbox."), "{reply_to}");
            assert_eq!(order.reply.unwrap().as_str(), reply_to, "the native reply subject is the same one");
            client.publish(reply_to.to_owned(), bytes(&case["message"], reply_to)).await.unwrap();
        };
        let (ticked, ()) = tokio::join!(ticking, answering);
        match ticked {
            Ok(ack) => {
                let items = ack.metrics.map(|metrics| [metrics.items_seen, metrics.items_dispatched]);
                let cursor = ack.next_cursor.map(|cursor| String::from_utf8(cursor).unwrap());
                let interval = ack.next_interval_hint.map(|hint| hint.as_secs());
                let found = json!({"next_cursor": cursor, "next_interval_secs": interval, "items": items});
                assert_eq!(found, case["ack"], "{name}");
            }
            Err(error) => {
                assert_eq!(json!(error.class().as_str()), case["error"], "{name}: {error}");
                assert_eq!(error.retry_after(), Some(Duration::from_secs(30)), "{name}");
            }
        }
    }
}

fn context() -> PollContext {
    let mut context = PollContext::new("chatty", "ana_jira", "ana", Arc::new(NoHost::default()));
    context.cursor = Some(b"1".to_vec());
    context.interval_hint = Duration::from_secs(300);
    context
}
