//! The broker of many machines, with a real server.
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::broker::{Broker, BrokerError, NatsBroker, NatsOptions};
use nexo_poller::unstable::conformance::broker as conformance;
use nexo_poller::wire::Event;
use nexo_poller_testkit::{NatsServer, NatsServerOptions};
use serde_json::json;

async fn connect(server: &NatsServer) -> NatsBroker {
    NatsBroker::connect(NatsOptions::new(&server.url()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn two_connections_to_one_server_keep_every_rule() {
    let server = NatsServer::start().unwrap();
    let (one, other) = (Arc::new(connect(&server).await), Arc::new(connect(&server).await));
    conformance::check(one, other).await.unwrap();
}

#[tokio::test]
async fn subscriptions_outlive_a_restart_of_the_server_and_a_lost_server_is_said_not_waited_for() {
    let mut server = NatsServer::start().unwrap();
    let broker = connect(&server).await;
    let hasty = NatsOptions::new(&server.url()).unwrap().with_reconnect_timeout(Duration::from_millis(300));
    let hasty = NatsBroker::connect(hasty).await.unwrap();
    let mut heard = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    server.kill();
    let error = loop {
        // Until the client itself has seen it, a publish is not confirmed, which is an error as well.
        match hasty.publish(Event::new("plugin.outbound.a", "t", json!(0))).await {
            Err(error @ BrokerError::Closed { .. }) => break error,
            _ => tokio::task::yield_now().await,
        }
    };
    let text = error.to_string();
    assert!(text.contains("the NATS server at nats://127.0.0.1:") && text.contains("cannot be reached"), "{text}");
    assert!(matches!(error.to_host_error("broker_publish").class(), nexo_poller::contract::ErrorClass::Transient));
    let asked = hasty.request("plugin.poller.x.tick", "t", json!({}), Duration::from_secs(30)).await;
    assert!(matches!(asked, Err(BrokerError::Closed { .. })), "{asked:?}");
    server.restart().unwrap();
    // Published with the default reconnect timeout: it waits for the server that is coming back.
    broker.publish(Event::new("plugin.outbound.a", "t", json!("back"))).await.unwrap();
    loop {
        let delivery = tokio::time::timeout(Duration::from_secs(20), heard.next()).await.unwrap().unwrap();
        if delivery.event.payload == json!("back") {
            break;
        }
    }
}

#[tokio::test]
async fn a_message_over_the_servers_limit_is_refused_with_both_sizes() {
    let server = NatsServer::start_with(NatsServerOptions::default().with_max_payload(4096)).unwrap();
    let broker = connect(&server).await;
    let big = json!("x".repeat(5000));
    let error = broker.publish(Event::new("plugin.outbound.a", "t", big.clone())).await.unwrap_err();
    let BrokerError::TooLarge { size, limit: 4096, .. } = error else { panic!("{error}") };
    assert!(size > 5000 && error.to_string().contains("over the limit of 4096 bytes"), "{error}");
    let asked = broker.request("a", "t", json!({"params": big.clone()}), Duration::from_secs(5)).await;
    assert!(matches!(asked, Err(BrokerError::TooLarge { limit: 4096, .. })), "{asked:?}");

    // An answer that is too large becomes an answer that says so.
    let mut questions = broker.subscribe("a", None).await.unwrap();
    let asking = broker.request("a", "t", json!({"method": "m"}), Duration::from_secs(20));
    let answering = async {
        let (_, to) = { questions.next().await.unwrap() }.request();
        broker.respond(&to.unwrap(), "t", json!({"result": big})).await.unwrap();
    };
    let (answer, ()) = tokio::join!(asking, answering);
    let answer = answer.unwrap();
    assert_eq!(answer["error"]["code"], -32002);
    assert!(answer["error"]["message"].as_str().unwrap().contains("over the limit of 4096"), "{answer}");
}

#[tokio::test]
async fn a_call_or_an_answer_that_nests_too_deep_fails_at_once_with_that_reason() {
    let server = NatsServer::start().unwrap();
    let broker = connect(&server).await;
    let deep = (0..300).fold(json!(1), |inner, _| json!([inner]));
    let mut calls = broker.subscribe("daemon.rpc.jira", None).await.unwrap();
    let mut heard = Vec::new();
    for (asked, answered) in [(deep.clone(), json!(1)), (json!(1), deep)] {
        let asking = broker.request(
            "daemon.rpc.jira",
            "jira",
            json!({"method": "log", "params": asked}),
            Duration::from_secs(20),
        );
        let answering = async {
            let call = calls.next().await.unwrap();
            let (body, to) = call.request();
            let body = if body["error"].is_null() { json!({"result": answered}) } else { body.clone() };
            broker.respond(&to.unwrap(), "daemon", body).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asking, answering);
        heard.push(answer.unwrap()["error"].clone());
    }
    for error in heard {
        assert_eq!(error["code"], -32002);
        assert!(error["message"].as_str().unwrap().contains("nests deeper than 100 levels"), "{error}");
    }
}

#[tokio::test]
async fn an_event_whose_id_no_header_can_hold_is_published_all_the_same() {
    let server = NatsServer::start().unwrap();
    let broker = connect(&server).await;
    let mut heard = broker.subscribe("plugin.outbound.a", None).await.unwrap();
    let event = Event::with_id("a\r\nNats-Rollup: all\nb", "plugin.outbound.a", "t", json!(1));
    broker.publish(event.clone()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().event.id, event.id);
}

#[tokio::test]
async fn passwords_and_tokens_open_the_server_and_a_wrong_one_is_refused_without_being_shown() {
    let config = "authorization { users: [ { user: ana, password: \"hunter2\" } ] }";
    let server = NatsServer::start_with(NatsServerOptions::default().with_config(config)).unwrap();
    let at = |login: &str| NatsOptions::new(&format!("nats://{login}127.0.0.1:{}", server.port())).unwrap();
    NatsBroker::connect(at("ana:hunter2@")).await.unwrap();
    for login in ["ana:hunter3@", "hunter3@", ""] {
        let error = NatsBroker::connect(at(login)).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, BrokerError::Setup { .. }), "{error:?}");
        assert!(text.contains("does not take us") && !text.contains("hunter"), "{text}");
    }
    let config = "authorization { token: \"t0ken\" }";
    let server = NatsServer::start_with(NatsServerOptions::default().with_config(config)).unwrap();
    NatsBroker::connect(NatsOptions::new(&server.url().replace("://", "://t0ken@")).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_bare_request_of_any_client_is_answered_bare() {
    let server = NatsServer::start().unwrap();
    let broker = connect(&server).await;
    let mut questions = broker.subscribe("plugin.poller.x.tick", Some("x")).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let asking = client.request("plugin.poller.x.tick", r#"{"kind":"x","job_id":"j"}"#.into());
    let answering = async {
        let delivery = questions.next().await.unwrap();
        let (body, to) = delivery.request();
        assert_eq!(*body, json!({"kind": "x", "job_id": "j"}));
        let to = to.unwrap();
        assert!(to.bare);
        broker.respond(&to, "x", json!({"result": {}})).await.unwrap();
    };
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.unwrap().payload, r#"{"result":{}}"#);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let mut options = NatsOptions::new("nats://ana:hunter2@127.0.0.1:1").unwrap();
    options.connect_timeout = Duration::from_millis(300);
    let error = NatsBroker::connect(options).await.unwrap_err().to_string();
    assert!(error.contains("nats://127.0.0.1:1 cannot be reached") && !error.contains("hunter2"), "{error}");
}
