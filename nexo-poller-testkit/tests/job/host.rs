//! The mocked host answers, refuses, fails and remembers as the daemon's hosts do.

use std::time::Duration;

use nexo_poller::contract::LlmUsage;
use nexo_poller::prelude::*;
use nexo_poller::wire::publish_id;
use nexo_poller_testkit::{Fault, Method, MockPollerHost};

const TOPIC: &str = "plugin.outbound.telegram.bot";

async fn publish(host: &MockPollerHost, topic: &str, payload: &str) -> Result<(), HostError> {
    host.broker_publish(topic.to_owned(), payload.as_bytes().to_vec()).await
}

fn request() -> LlmInvokeRequest {
    LlmInvokeRequest::new("anthropic", "small", vec![LlmMessage::user("hi")])
}

#[tokio::test]
async fn a_publish_is_decoded_and_carries_the_id_that_the_daemon_would_give_it() {
    let host = MockPollerHost::new();
    publish(&host, TOPIC, r#"{"a": 1}"#).await.unwrap();
    let [message] = &host.published()[..] else { panic!("one message") };
    assert_eq!(message.payload, json!({"a": 1}));
    assert_eq!(message.id, publish_id("test", "test_job", TOPIC, &json!({"a": 1}), None));
}

#[tokio::test]
async fn what_the_daemon_would_refuse_is_refused_and_not_recorded() {
    let host = MockPollerHost::new().allow(["plugin.outbound.telegram.*", "plugin.outbound.email.>"]);
    let table = [
        ("plugin.outbound.whatsapp.x", "{}", "is not allowed"),
        ("plugin.outbound.telegram.a.b", "{}", "is not allowed"),
        (TOPIC, "{", "is not JSON"),
        (TOPIC, "", "is not JSON"),
        ("plugin.outbound.telegram.*", "{}", "is a pattern"),
        ("plugin.outbound.email..x", "{}", "is not allowed"),
    ];
    for (topic, payload, reason) in table {
        let error = publish(&host, topic, payload).await.expect_err(topic);
        assert!(error.to_string().contains(reason), "{topic}: {error}");
        assert_eq!(PollerError::from(error).code(), -32002, "{topic}");
    }
    host.assert_nothing_published();
}

#[tokio::test]
async fn credentials_are_scripted_missing_or_run_out() {
    let host = MockPollerHost::new()
        .credentials("telegram", json!({"account_id": "bot", "agent_id": "someone"}))
        .credentials("odd", json!(["any", "JSON"]))
        .credentials_missing("google")
        .credentials_expire_after("jira", json!({"token": "t"}), 2);
    let telegram = host.credentials_get("telegram".into()).await.unwrap();
    assert_eq!(telegram, json!({"channel": "telegram", "agent_id": "someone", "account_id": "bot"}));
    assert_eq!(host.credentials_get("odd".into()).await.unwrap(), json!(["any", "JSON"]));
    assert_eq!(host.credentials_get("console".into()).await.unwrap()["account_id"], "console");
    for channel in ["google", "never_heard_of"] {
        let error = host.credentials_get(channel.into()).await.unwrap_err();
        assert!(matches!(error, HostError::CredentialsMissing { .. }), "{channel}: {error}");
    }
    for _ in 0..2 {
        assert_eq!(host.credentials_get("jira".into()).await.unwrap()["token"], "t");
    }
    assert!(host.credentials_get("jira".into()).await.unwrap_err().to_string().contains("expired"));
}

#[tokio::test]
async fn a_model_answers_from_a_list_or_a_closure_and_is_refused_without_either() {
    let host = MockPollerHost::new();
    assert!(host.llm_invoke(request()).await.unwrap_err().to_string().contains("llm_answers"));

    host.llm_answers(["one", "two"]);
    assert_eq!(host.llm_invoke(request()).await.unwrap().content, "one");
    let second = host.llm_invoke(request()).await.unwrap();
    assert_eq!((second.content.as_str(), second.model_id.as_str()), ("two", "small"));
    assert!(host.llm_invoke(request()).await.unwrap_err().to_string().contains("used up"));

    let mut calls = 0;
    host.llm(move |request| {
        calls += 1;
        let content = format!("{}: {calls}", request.messages[0].content);
        Ok(LlmInvokeResponse::new(content, "m").usage(LlmUsage::default()))
    });
    host.llm_invoke(request()).await.unwrap();
    assert_eq!(host.llm_invoke(request()).await.unwrap().content, "hi: 2");
    assert_eq!(host.llm_requests().len(), 6);
}

#[tokio::test]
async fn calls_logs_and_metrics_are_kept_in_order() {
    let host = MockPollerHost::new();
    host.log(LogLevel::Warn, "first".into(), json!({"n": 1})).await.unwrap();
    host.metric_inc("seen".into(), json!({"source": "a"})).await.unwrap();
    host.log(LogLevel::Info, "second".into(), json!(null)).await.unwrap();
    publish(&host, TOPIC, "{}").await.unwrap();
    assert_eq!(host.calls(), [Method::Log, Method::Metric, Method::Log, Method::Publish]);
    assert_eq!(host.logs().iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(host.metrics()[0].labels, json!({"source": "a"}));
    host.assert_logged("seco");
    host.forget();
    assert!(host.calls().is_empty() && host.logs().is_empty() && host.published().is_empty());
}

#[tokio::test]
async fn a_fault_strikes_the_calls_that_it_names_and_no_others() {
    let host = MockPollerHost::new()
        .fault(Fault::on_topic("plugin.outbound.telegram.*").call(2).fails(HostError::unavailable("second")))
        .fault(Fault::on(Method::Publish).from_call(4).fails(HostError::unavailable("fourth on")));
    let mut outcomes = Vec::new();
    for topic in ["plugin.outbound.email.me", TOPIC, TOPIC, TOPIC, "plugin.outbound.email.me"] {
        outcomes.push(publish(&host, topic, "{}").await.err().map(|error| error.to_string()));
    }
    let said = |reason: &str| Some(format!("the host cannot be reached: {reason}"));
    assert_eq!(outcomes, [None, None, said("second"), said("fourth on"), said("fourth on")]);
    assert_eq!(host.published().len(), 2);
    host.heal();
    publish(&host, TOPIC, "{}").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_message_published() {
    let host = MockPollerHost::new();
    host.fault(Fault::on(Method::Publish).loses_the_answer(HostError::unavailable("reset")));
    publish(&host, TOPIC, "{}").await.expect_err("told that it failed");
    host.assert_published(TOPIC).times(1);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_is_answered_late_and_a_hanging_one_never() {
    let host = MockPollerHost::new()
        .fault(Fault::on(Method::Log).delays(Duration::from_secs(7)))
        .fault(Fault::on(Method::Credentials).hangs());
    let started = tokio::time::Instant::now();
    host.log(LogLevel::Info, "late".into(), json!({})).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(7));
    let hanging = host.credentials_get("console".into());
    tokio::time::timeout(Duration::from_secs(3600), hanging).await.expect_err("never answered");
}

#[tokio::test]
async fn narrowing_counts_only_what_is_left_and_only_that_is_asserted() {
    let host = MockPollerHost::new();
    for (topic, n) in [(TOPIC, 1), (TOPIC, 2), ("plugin.outbound.email.me", 3)] {
        publish(&host, topic, &json!({"n": n, "deep": {"a": [1], "b": n}}).to_string()).await.unwrap();
    }
    host.assert_published("plugin.outbound.telegram.*").containing(json!({"deep": {"a": [1], "b": 2}})).times(1);
    let rest = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.assert_nothing_else()));
    assert!(rest.unwrap_err().downcast_ref::<String>().unwrap().contains("2 messages more"));
    host.assert_published("plugin.outbound.>").sorted_by_key("n", |payload| payload["n"].as_i64());
    host.assert_nothing_else();
    host.assert_order(["plugin.outbound.telegram.*", "plugin.outbound.email.*"]);
    host.assert_published(">").matching("with n above 2", |payload| payload["n"].as_i64() > Some(2)).times(1);
}
