//! The protocol, as JSON that other programs send: each file in `vectors/` is a list of named cases.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use chrono::{DateTime, Utc};
use nexo_poller::contract::{PollerError, TickAck, TickMetrics};
use nexo_poller::unstable::{Frame, FrameKind};
use nexo_poller::wire::{Event, TickOrder, TickReply, open_answer, open_request};
use serde_json::{Value, json};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("a file of vectors is JSON")
}

fn cases(list: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let cases = list.as_array().expect("a list of cases");
    assert!(!cases.is_empty());
    cases.iter().map(|case| (case["name"].as_str().expect("a case has a name"), case))
}

fn text(value: Option<&[u8]>) -> Value {
    value.map_or(Value::Null, |bytes| json!(str::from_utf8(bytes).unwrap()))
}

#[test]
fn a_plugin_understands_every_tick_request_in_the_field() {
    for (name, case) in cases(&vectors(include_str!("../vectors/tick_requests.json"))) {
        let read = TickOrder::read(&case["body"]);
        if let Some(code) = case.get("code") {
            assert_eq!(json!(read.unwrap_err().code), *code, "{name}");
            continue;
        }
        let order = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = json!({
            "kind": order.kind, "job_id": order.job_id, "agent_id": order.agent_id,
            "cursor": text(order.cursor.as_deref()), "config": order.config,
            "now": order.now, "interval_secs": order.interval_hint.as_secs(),
        });
        assert_eq!(found, case["order"], "{name}");
    }
}

#[test]
fn a_daemon_understands_every_tick_reply_in_the_field() {
    for (name, case) in cases(&vectors(include_str!("../vectors/tick_replies.json"))) {
        match TickReply::read(&case["body"]) {
            Ok(ack) => {
                let items = ack.metrics.map(|metrics| [metrics.items_seen, metrics.items_dispatched]);
                let found = json!({
                    "next_cursor": text(ack.next_cursor.as_deref()), "items": items,
                    "next_interval_secs": ack.next_interval_hint.map(|hint| hint.as_secs()),
                });
                assert_eq!(found, case["ack"], "{name}");
            }
            Err(error) => {
                assert_eq!(json!(error.class().as_str()), case["class"], "{name}");
                let expected = case["message"].as_str().expect("the message of an error");
                assert!(error.to_string().contains(expected), "{name}: {error}");
                let retry_after = error.retry_after().map(|after| after.as_secs());
                assert_eq!(json!(retry_after), case.get("retry_after_secs").cloned().unwrap_or_default(), "{name}");
            }
        }
    }
}

#[test]
fn answers_are_understood_in_both_shapes() {
    for (name, case) in cases(&vectors(include_str!("../vectors/envelopes.json"))["answers"]) {
        assert_eq!(open_answer(case["payload"].clone()), case["body"], "{name}");
    }
}

#[test]
fn requests_are_understood_wrapped_and_bare() {
    for (name, case) in cases(&vectors(include_str!("../vectors/envelopes.json"))["requests"]) {
        let (body, reply_to) = open_request(&case["payload"]);
        assert_eq!(*body, case["body"], "{name}");
        assert_eq!(json!(reply_to.map(|to| to.topic)), case["reply_to"], "{name}");
    }
}

#[test]
fn events_are_read_whatever_they_lack() {
    for (name, case) in cases(&vectors(include_str!("../vectors/envelopes.json"))["events"]) {
        let before = Utc::now();
        let event: Event = serde_json::from_value(case["event"].clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let timestamp = event.timestamp;
        let mut found = json!(event);
        let found_time = found.as_object_mut().and_then(|fields| fields.remove("timestamp"));
        let mut expected = case["read"].clone();
        match expected.as_object_mut().and_then(|fields| fields.remove("timestamp")) {
            Some(time) => {
                assert_eq!(timestamp, time.as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), "{name}");
                assert!(found_time.is_some_and(|time| time.is_string()), "{name}");
            }
            None => assert!(timestamp >= before && timestamp <= Utc::now(), "{name}: {timestamp}"),
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn frames_of_the_bridge_are_told_apart() {
    for (name, case) in cases(&vectors(include_str!("../vectors/envelopes.json"))["frames"]) {
        let found = match Frame::read(case["line"].as_str().expect("a line")) {
            None => json!({"kind": "none"}),
            Some(FrameKind::Request { id, method, .. }) => json!({"kind": "request", "id": id, "method": method}),
            Some(FrameKind::Notification { method, .. }) => json!({"kind": "notification", "method": method}),
            Some(FrameKind::Response { id, outcome: Ok(_) }) => json!({"kind": "result", "id": id}),
            Some(FrameKind::Response { id, outcome: Err(_) }) => json!({"kind": "error", "id": id}),
        };
        for (key, value) in found.as_object().unwrap() {
            assert_eq!(*value, case[key], "{name}: {key}");
        }
    }
}

#[test]
fn a_reply_is_written_with_its_fields_repeated_where_published_daemons_read_them() {
    let ack = TickAck {
        next_cursor: Some(b"{\"n\":2}".to_vec()),
        next_interval_hint: Some(Duration::from_millis(119_001)),
        metrics: Some(TickMetrics { items_seen: 5, items_dispatched: 2 }),
    };
    let fields = json!({"next_cursor": "eyJuIjoyfQ", "next_interval_secs": 120,
        "metrics": {"items_seen": 5, "items_dispatched": 2}});
    let mut expected = fields.clone();
    expected["result"] = fields.clone();
    assert_eq!(TickReply::body(&Ok(ack.clone()), true), expected);
    assert_eq!(TickReply::body(&Ok(ack), false), json!({"result": fields}));
    assert_eq!(TickReply::body(&Ok(TickAck::new()), true), json!({"result": {}}));
}

#[test]
fn every_error_is_written_with_the_code_of_its_class() {
    let slow = PollerError::rate_limited("slow", Duration::from_millis(29_500));
    for (error, code) in [
        (PollerError::transient("t"), -32001),
        (PollerError::permanent("p"), -32002),
        (PollerError::config("c"), -32602),
    ] {
        let message = json!(error.to_string());
        let body = TickReply::body(&Err(error), true);
        assert_eq!((&body["error"]["code"], &body["metrics"]), (&json!(code), &message));
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "an error has no result beside it");
        let alone = json!({"error": {"code": code, "message": message}});
        assert_eq!(TickReply::body(&TickReply::read(&body), false), alone, "our own reader takes the error first");
    }
    let body = TickReply::body(&Err(slow), true);
    assert_eq!(body["error"]["code"], -32001);
    assert_eq!(body["error"]["data"], json!({"retry_after_secs": 30}));
}

/// An answer to a tick as the proxy of a published daemon reads it: the payload of a message, each field optional, and no `error`.
#[derive(serde::Deserialize)]
struct PublishedReply {
    #[serde(default)]
    next_cursor: Option<String>,
    #[serde(default)]
    next_interval_secs: Option<u64>,
    #[serde(default)]
    metrics: Option<PublishedMetrics>,
}

#[derive(serde::Deserialize)]
struct PublishedMetrics {
    items_seen: u32,
    items_dispatched: u32,
}

/// What a published daemon makes of the answer `event`: one that it cannot read is a transient failure.
fn published(event: &Event) -> Result<PublishedReply, String> {
    serde_json::from_value(event.payload["payload"].clone()).map_err(|error| error.to_string())
}

#[test]
fn a_published_daemon_reads_each_failed_tick_as_a_failure_and_each_success_with_all_that_it_says() {
    let full = TickAck {
        next_cursor: Some(b"{}".to_vec()),
        next_interval_hint: Some(Duration::from_secs(120)),
        metrics: Some(TickMetrics { items_seen: 5, items_dispatched: 2 }),
    };
    let cursor = TickAck { next_cursor: Some(b"{}".to_vec()), ..TickAck::new() };
    println!("{:12} {:12} a published daemon reads", "a tick's end", "ours reads");
    for (name, outcome) in [
        ("success", Ok(TickAck::new())),
        ("cursor", Ok(cursor)),
        ("everything", Ok(full)),
        ("config", Err(PollerError::config("`project` is missing"))),
        ("transient", Err(PollerError::rate_limited("slow down", Duration::from_secs(30)))),
        ("permanent", Err(PollerError::permanent("access was revoked"))),
        ("no words", Err(PollerError::transient(""))),
    ] {
        let body = TickReply::body(&outcome, true);
        let answer = Event::answer("_inbox.req.7", "jira", body);
        let ours = TickReply::read(&open_answer(answer.payload.clone()));
        let theirs = published(&answer);
        let said = match &theirs {
            Ok(reply) => format!("success, cursor {:?}, next in {:?} s", reply.next_cursor, reply.next_interval_secs),
            Err(reason) => format!("transient: {reason}"),
        };
        println!("{name:12} {:12} {said}", ours.as_ref().map_or_else(|error| error.class().as_str(), |_| "success"));
        match (&outcome, theirs) {
            (Ok(ack), Ok(reply)) => {
                assert_eq!(ours.as_ref().unwrap(), ack, "{name}");
                let metrics = reply.metrics.map(|m| (m.items_seen, m.items_dispatched));
                assert_eq!(metrics, ack.metrics.map(|m| (m.items_seen, m.items_dispatched)), "{name}");
                assert_eq!(reply.next_cursor.is_some(), ack.next_cursor.is_some(), "{name}");
                assert_eq!(reply.next_interval_secs, ack.next_interval_hint.map(|hint| hint.as_secs()), "{name}");
            }
            // Config and permanent cannot reach that daemon in any shape: it has no words for them.
            (Err(error), Err(reason)) => {
                assert!(reason.contains(&error.to_string()), "{name}: {reason}");
                assert_eq!(ours.unwrap_err().class(), error.class(), "{name}");
            }
            (_, theirs) => panic!("{name}: read as the opposite: {}", theirs.is_ok()),
        }
    }
}
