//! What is written is what is read: every body of the protocol, there and back.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::contract::{HostError, LlmInvokeRequest, LlmMessage, LlmRole, LogLevel, PollerError, TickAck, TickMetrics};

/// Whole seconds that a number on the wire holds exactly.
fn whole_secs() -> impl Strategy<Value = Duration> {
    (0..1u64 << 53).prop_map(Duration::from_secs)
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000i64, 0..1_000_000_000u32).prop_map(|(secs, nanos)| DateTime::from_timestamp(secs, nanos).unwrap())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn request() -> impl Strategy<Value = TickRequest<'static>> {
    let ids = (".{1,12}", ".{1,12}", ".{0,12}");
    let cursor = prop::option::of(any::<Vec<u8>>());
    (ids, cursor, any_json(), time(), whole_secs()).prop_map(|(ids, cursor, config, now, interval_hint)| TickRequest {
        kind: ids.0.into(),
        job_id: ids.1.into(),
        agent_id: ids.2.into(),
        cursor: cursor.as_deref().map(encode_cursor),
        config: Cow::Owned(config),
        now,
        interval_hint,
    })
}

fn ack() -> impl Strategy<Value = TickAck> {
    let metrics = (any::<u32>(), any::<u32>())
        .prop_map(|(items_seen, items_dispatched)| TickMetrics { items_seen, items_dispatched });
    (prop::option::of(any::<Vec<u8>>()), prop::option::of(whole_secs()), prop::option::of(metrics))
        .prop_map(|(next_cursor, next_interval_hint, metrics)| TickAck { next_cursor, next_interval_hint, metrics })
}

fn failure() -> impl Strategy<Value = PollerError> {
    let retry_after = prop::option::of(whole_secs());
    prop_oneof![
        ".{0,20}".prop_map(PollerError::config),
        ".{0,20}".prop_map(PollerError::permanent),
        (".{0,20}", retry_after)
            .prop_map(|(message, retry_after)| { PollerError::Transient { message, retry_after, source: None } }),
    ]
}

fn host_request() -> impl Strategy<Value = HostRequest> {
    let level =
        prop::sample::select(vec![LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error]);
    let role = prop::sample::select(vec![LlmRole::System, LlmRole::User, LlmRole::Assistant]);
    let messages = prop::collection::vec((role, ".{0,9}"), 0..3);
    let bounds = (any::<Option<u32>>(), prop::option::of(0.0f32..2.0));
    let model = (".{0,9}", ".{0,9}", messages, bounds);
    prop_oneof![
        (".{0,9}", ".{0,9}").prop_map(|(channel, agent_id)| HostRequest::CredentialsGet { channel, agent_id }),
        (level, ".{0,9}", any_json()).prop_map(|(level, message, fields)| HostRequest::Log { level, message, fields }),
        (".{0,9}", any_json()).prop_map(|(name, labels)| HostRequest::MetricInc { name, labels }),
        model.prop_map(|(provider, model, messages, (max_tokens, temperature))| {
            let messages = messages.into_iter().map(|(role, content)| LlmMessage { role, content }).collect();
            HostRequest::LlmInvoke(LlmInvokeRequest { provider, model, messages, max_tokens, temperature })
        }),
    ]
}

/// As it arrives: through text.
fn sent(body: &Value) -> Value {
    serde_json::from_str(&body.to_string()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_tick_request_is_read_as_it_was_written_with_its_method_and_without(request in request()) {
        let body = sent(&request.to_value());
        prop_assert_eq!(&TickRequest::read(&body).unwrap(), &request);
        prop_assert_eq!(&TickRequest::read(&body["params"]).unwrap(), &request);
        let order = TickOrder::read(&body).unwrap();
        prop_assert_eq!(order.cursor.as_deref().map(encode_cursor), request.cursor);
        prop_assert_eq!((order.now, order.interval_hint), (request.now, request.interval_hint));
    }

    #[test]
    fn a_tick_reply_is_read_as_it_was_written_wherever_its_fields_are(ack in ack()) {
        for repeated in [false, true] {
            let body = sent(&TickReply::body(&Ok(ack.clone()), repeated));
            prop_assert_eq!(&TickReply::read(&body).unwrap(), &ack);
            // A published daemon reads the top level alone, and knows no `result`.
            let bare = TickReply::read(&json!({"next_cursor": body["next_cursor"], "metrics": body["metrics"],
                "next_interval_secs": body["next_interval_secs"]})).unwrap();
            prop_assert_eq!(bare, if repeated { ack.clone() } else { TickAck::new() });
        }
    }

    #[test]
    fn a_failed_tick_keeps_its_class_its_message_and_when_to_come_back(error in failure()) {
        let expected = (error.class(), error.to_string(), error.retry_after());
        let body = sent(&TickReply::body(&Err(error), true));
        prop_assert!(TickReply::is_one(&body));
        let read = TickReply::read(&body).unwrap_err();
        prop_assert_eq!((read.class(), read.to_string(), read.retry_after()), expected);
    }

    #[test]
    fn a_fraction_of_a_second_never_makes_anybody_come_back_early(millis in 0u64..1_000_000) {
        let wait = Duration::from_millis(millis);
        let error = PollerError::rate_limited("slow down", wait);
        let read = TickReply::read(&TickReply::body(&Err(error), true)).unwrap_err().retry_after().unwrap();
        prop_assert!(read >= wait && read < wait + Duration::from_secs(1), "{:?} for {:?}", read, wait);
        let ack = TickAck { next_interval_hint: Some(wait), ..TickAck::new() };
        let read = TickReply::read(&TickReply::body(&Ok(ack), true)).unwrap().next_interval_hint.unwrap();
        prop_assert!(read >= wait && read < wait + Duration::from_secs(1), "{:?} for {:?}", read, wait);
    }

    #[test]
    fn a_call_to_the_daemon_is_read_as_it_was_written(request in host_request(), agent in ".{0,9}", job in ".{0,9}") {
        let call = HostCall::new(&request, &agent, &job);
        let read = HostCall::read(&sent(&call.to_value())).unwrap();
        prop_assert_eq!((&read.agent_id, &read.job_id, read.method.as_str()), (&agent, &job, request.method()));
        prop_assert_eq!(HostRequest::read(read).unwrap(), request);
    }

    #[test]
    fn the_answer_to_a_call_is_read_as_it_was_written(result in any_json(), channel in ".{0,9}", reason in ".{0,9}",
        retry_after in prop::option::of(whole_secs())) {
        let answer = sent(&result_body(result.clone()));
        prop_assert_eq!(open_host_answer("log", None, answer), Ok(result));
        for error in [
            HostError::CredentialsMissing { channel: channel.clone(), reason: reason.clone() },
            HostError::RateLimited { reason: reason.clone(), retry_after },
        ] {
            let answer = sent(&host_error_body(&error));
            prop_assert_eq!(open_host_answer("credentials_get", Some(&channel), answer), Err(error));
        }
    }

    #[test]
    fn an_event_and_the_message_in_it_are_read_as_they_were_written(topic in "[a-z.]{1,9}", body in any_json()) {
        let asked = Event::request(&topic, "jira", &topics::reply("7"), json!({"params": body}));
        let read: Event = serde_json::from_value(sent(&json!(asked))).unwrap();
        prop_assert_eq!(&read, &asked);
        let (opened, reply_to) = open_request(&read.payload);
        prop_assert_eq!((&opened["params"], reply_to.unwrap().topic), (&body, topics::reply("7")));
        let message: Message = serde_json::from_value(read.payload).unwrap();
        prop_assert_eq!(json!(message), asked.payload);
        let answered = Event::answer(&topic, "daemon", result_body(body.clone()));
        prop_assert_eq!(open_answer(sent(&answered.payload)), result_body(body));
    }
}

#[test]
fn a_tick_request_is_spelled_as_published_plugins_know_it() {
    let request = TickRequest {
        kind: "jira".into(),
        job_id: "ana_jira".into(),
        agent_id: "ana".into(),
        cursor: Some(encode_cursor(b"a")),
        config: Cow::Owned(json!({"project": "NEXO"})),
        now: "2026-05-17T10:00:00Z".parse().unwrap(),
        interval_hint: Duration::from_millis(300_900),
    };
    let expected = json!({"method": "poll_tick", "params": {"kind": "jira", "job_id": "ana_jira", "agent_id": "ana",
        "cursor": "YQ", "config": {"project": "NEXO"}, "now": "2026-05-17T10:00:00+00:00", "interval_hint_secs": 300}});
    assert_eq!(request.to_value(), expected);
    let first = TickRequest { cursor: None, ..request }.to_value();
    assert_eq!(first["params"].get("cursor"), Some(&Value::Null), "the first run's cursor is null, not left out");
}
