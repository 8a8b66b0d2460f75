use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::probe::{host, order};
use crate::broker::{Broker, LocalBroker};
use crate::contract::ErrorClass;
use crate::prelude::*;
use crate::wire::{HostCall, host_error_body, publish_id, result_body};

/// A daemon that answers every host call with what `answer` says.
async fn daemon(broker: &LocalBroker, answer: impl Fn(HostCall) -> Value + Send + 'static) {
    let mut calls = broker.subscribe("daemon.rpc.probe", None).await.unwrap();
    let broker = broker.clone();
    tokio::spawn(async move {
        while let Some(delivery) = calls.next().await {
            let (body, reply_to) = delivery.request();
            let call = HostCall::read(body).unwrap();
            broker.respond(&reply_to.unwrap(), "daemon", answer(call)).await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_publish_carries_the_plugins_id_and_the_same_event_id_each_time() {
    let broker = LocalBroker::new();
    let mut published = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let order = order("a", json!({}));
    let payload = br#"{"text":"x"}"#.to_vec();
    for _ in 0..2 {
        host(&broker, &order).broker_publish("plugin.outbound.c".into(), payload.clone()).await.unwrap();
        let event = published.next().await.unwrap().event;
        assert_eq!((event.source.as_str(), &event.payload), ("probe", &json!({"text": "x"})));
        assert_eq!(event.id, publish_id("probe", "a", "plugin.outbound.c", &json!({"text": "x"}), Some(b"7")));
    }
}

#[tokio::test]
async fn a_publish_without_json_or_on_a_pattern_is_refused_with_its_cause() {
    let broker = LocalBroker::new();
    let host = host(&broker, &order("a", json!({})));
    let text = host.broker_publish("plugin.outbound.x".into(), b"hunter2".to_vec()).await.unwrap_err();
    assert!(matches!(text, HostError::Payload { .. }) && !text.to_string().contains("hunter2"), "{text:?}");
    let pattern = host.broker_publish("plugin.outbound.*".into(), b"{}".to_vec()).await.unwrap_err();
    assert_eq!(pattern.class(), ErrorClass::Permanent, "{pattern:?}");
}

#[tokio::test]
async fn calls_speak_for_the_ticks_agent_and_job() {
    let broker = LocalBroker::new();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    daemon(&broker, move |call| {
        let llm = call.method == "llm_invoke";
        sink.lock().unwrap().push(call.to_value());
        result_body(if llm { json!({"content": "hi", "model_id": "m-1"}) } else { json!({"account_id": "g"}) })
    })
    .await;
    let host = host(&broker, &order("job", json!({})));
    assert_eq!(host.credentials_get("google".into()).await.unwrap()["account_id"], "g");
    host.log(LogLevel::Warn, "careful".into(), json!({"n": 1})).await.unwrap();
    host.metric_inc("seen".into(), json!({"a": "b"})).await.unwrap();
    let request = LlmInvokeRequest::new("p", "m", vec![]).max_tokens(5);
    assert_eq!(host.llm_invoke(request).await.unwrap().model_id, "m-1");
    let call = |method: &str, params| json!({"method": method, "params": params, "agent_id": "ana", "job_id": "job"});
    let expected = vec![
        call("credentials_get", json!({"channel": "google", "agent_id": "ana"})),
        call("log", json!({"level": "warn", "message": "careful", "fields": {"n": 1}})),
        call("metric_inc", json!({"name": "seen", "labels": {"a": "b"}})),
        call("llm_invoke", json!({"provider": "p", "model": "m", "messages": [], "max_tokens": 5})),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn an_error_of_the_daemon_arrives_as_what_it_was() {
    for error in [
        HostError::CredentialsMissing { channel: "google".into(), reason: "ana has none".into() },
        HostError::RateLimited { reason: "slow down".into(), retry_after: Some(Duration::from_secs(9)) },
    ] {
        let broker = LocalBroker::new();
        let body = host_error_body(&error);
        daemon(&broker, move |_| body.clone()).await;
        assert_eq!(host(&broker, &order("a", json!({}))).credentials_get("google".into()).await, Err(error));
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_silent_or_gone_is_a_transient_error_after_the_calls_own_time() {
    let broker = LocalBroker::new();
    let gone = host(&broker, &order("a", json!({}))).credentials_get("google".into()).await.unwrap_err();
    assert!(matches!(gone, HostError::Unavailable { .. }), "{gone:?}");

    let _silent = broker.subscribe("daemon.rpc.probe", None).await.unwrap();
    let host = host(&broker, &order("a", json!({})));
    let started = Instant::now();
    let error = host.credentials_get("google".into()).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    assert_eq!(error, HostError::Timeout { call: "credentials_get".into(), after: Duration::from_secs(10) });
    let started = Instant::now();
    let error = host.log(LogLevel::Info, "x".into(), Value::Null).await.unwrap_err();
    assert_eq!((error.class(), started.elapsed()), (ErrorClass::Transient, Duration::from_secs(5)));
}

#[tokio::test]
async fn a_malformed_answer_of_a_model_is_an_error_that_does_not_quote_it() {
    let broker = LocalBroker::new();
    daemon(&broker, |_| result_body(json!({"content": ["hunter2"]}))).await;
    let request = LlmInvokeRequest::new("p", "m", vec![]);
    let error = host(&broker, &order("a", json!({}))).llm_invoke(request).await.unwrap_err();
    assert_eq!(error.to_string(), "`llm_invoke` was refused: the daemon's answer is malformed");
}
