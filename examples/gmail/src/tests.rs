use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use nexo_poller_testkit::{Fault, JobTest};
use tempfile::TempDir;

use super::{Gmail, REMEMBERED, Seen};

const TOPIC: &str = "plugin.outbound.telegram.bot";
const MESSAGES: &str = "/users/me/messages";

/// An account whose access token is good for years.
pub(super) fn account() -> (TempDir, Value) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ana.json");
    let token = json!({"refresh_token": "hunter2", "access_token": "ya29", "expires_at": "2100-01-01T00:00:00Z"});
    std::fs::write(&path, token.to_string()).unwrap();
    let account = json!({
        "account_id": "ana@example.com", "client_id_path": "none", "client_secret_path": "none", "token_path": path,
    });
    (home, account)
}

/// What the query finds, newest first.
pub(super) fn listed(ids: &[&str]) -> Exchange {
    let messages: Vec<Value> = ids.iter().map(|id| json!({"id": id, "threadId": id})).collect();
    // Where there is nothing, there is no list.
    Exchange::get(MESSAGES).json(&if messages.is_empty() { json!({}) } else { json!({ "messages": messages }) })
}

fn message(id: &str, subject: &str, payload: Value) -> Exchange {
    let mut payload = payload;
    payload["headers"] =
        json!([{"name": "Subject", "value": subject}, {"name": "FROM", "value": "Ana Lee <Ana@Shop.example>"}]);
    Exchange::get(&format!("{MESSAGES}/{id}"))
        .json(&json!({"id": id, "threadId": "t", "snippet": "It &#39;s", "payload": payload}))
}

/// A message of one part.
pub(super) fn mail(id: &str, subject: &str, text: &str) -> Exchange {
    message(id, subject, json!({"mimeType": "text/plain", "body": {"data": URL_SAFE.encode(text)}}))
}

/// The answer to whoever marks it read.
pub(super) fn marked(id: &str) -> Exchange {
    Exchange::post(&format!("{MESSAGES}/{id}/modify")).json(&json!({"id": id}))
}

/// A job, and what it needs to live on.
struct Job(JobTest, HttpReplay, TempDir);

fn job(exchanges: Vec<Exchange>, more: &Value) -> Job {
    let server = HttpReplay::of(exchanges.into_iter().collect());
    let (home, account) = account();
    let mut config = json!({
        "api_url": server.url("/"), "dispatch_delay_ms": 0,
        "message_template": "{subject}", "deliver": {"channel": "telegram", "to": "42"},
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    let job = JobTest::new(Gmail).config(config);
    job.host().credentials("telegram", json!({"account_id": "bot"})).credentials("google", account);
    Job(job, server, home)
}

/// The paths that were asked for, by method.
fn asked(server: &HttpReplay, method: &str) -> Vec<String> {
    server.asked().into_iter().filter(|asked| asked.method == method).map(|asked| asked.path).collect()
}

#[tokio::test]
async fn messages_are_announced_oldest_first_then_marked_read_and_not_repeated() {
    let mut exchanges = vec![listed(&["m2", "m1"]), mail("m1", "One", ""), mail("m2", "Two", "")];
    exchanges.extend(["m1", "m2"].map(marked));
    let Job(mut job, server, _home) = job(exchanges, &json!({"newer_than": "2d"}));
    let ack = job.tick().await;
    job.host().assert_published(TOPIC).texts(["One", "Two"]);
    assert_eq!(ack.metrics.unwrap().items_seen, 2);
    assert_eq!(asked(&server, "POST"), [format!("{MESSAGES}/m1/modify"), format!("{MESSAGES}/m2/modify")]);
    let told = server.asked();
    assert_eq!(json!(told[0].query), json!({"q": "is:unread newer_than:2d", "maxResults": "500"}));
    assert!(told.iter().any(|asked| asked.body == Some(json!({"removeLabelIds": ["UNREAD"]}))));
    assert_eq!(server.asked_header("authorization")[0].as_deref(), Some("Bearer ya29"));
    // Gmail's list is behind.
    job.tick().await;
    job.host().assert_published(TOPIC).times(2);
}

#[tokio::test]
async fn a_message_whose_publish_was_refused_stays_unread_and_comes_again() {
    let Job(mut job, server, _home) = job(vec![listed(&["m1"]), mail("m1", "One", ""), marked("m1")], &json!({}));
    job.host().fault(Fault::on_topic(TOPIC).call(1).fails(HostError::unavailable("restarting")));
    assert_eq!(job.try_tick().await.unwrap_err().class(), ErrorClass::Transient);
    assert!(asked(&server, "POST").is_empty(), "it looks as if somebody had read it");
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["One"]);
    assert_eq!(asked(&server, "POST").len(), 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_marked_read_is_told_once_and_the_log_says_so() {
    let refused = Exchange::post(&format!("{MESSAGES}/m1/modify")).status(403);
    let Job(mut job, _server, _home) = job(vec![listed(&["m1"]), mail("m1", "One", ""), refused], &json!({}));
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["One"]);
    assert!(job.host().logs()[0].message.contains("could not be marked read"));
}

#[tokio::test]
async fn without_mark_read_nothing_is_changed() {
    let exchanges = vec![listed(&["m1"]), mail("m1", "One", "")];
    let Job(mut job, server, _home) = job(exchanges, &json!({"mark_read_on_dispatch": false}));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["One"]);
    assert!(asked(&server, "POST").is_empty());
}

#[tokio::test]
async fn fields_are_cut_out_of_the_plain_text_however_deep_it_is() {
    let part = |kind: &str, text: &str| json!({"mimeType": kind, "body": {"data": URL_SAFE_NO_PAD.encode(text)}});
    let mut attached = part("text/plain", "order 1, 1 EUR");
    attached["filename"] = "a.txt".into();
    let alternative = json!({
        "mimeType": "multipart/alternative",
        "parts": [part("text/html", "<p>order 2</p>"), part("text/plain", "Your order 4711 of 12 €")],
    });
    let deep = json!({"mimeType": "multipart/mixed", "parts": [attached, alternative]});
    let only_html = json!({"mimeType": "multipart/mixed", "parts": [part("text/html", "<p>order 42</p>")]});
    let exchanges = vec![
        listed(&["m3", "m2", "m1"]),
        message("m1", "One", deep),
        message("m2", "Two", only_html),
        mail("m3", "Three", "nothing of interest"),
        marked("m1"),
        marked("m2"),
    ];
    let more = json!({
        "extract": {"order": r"order (\d+)", "price": r"\d+ €"}, "require_fields": ["order"],
        "message_template": "{subject}: {order}, {price}",
    });
    let Job(mut job, server, _home) = job(exchanges, &more);
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["One: 4711, 12 €", "Two: 42, "]);
    assert_eq!(asked(&server, "POST").len(), 2, "a message that is left alone stays unread");
}

#[tokio::test]
async fn only_listed_senders_are_announced() {
    for (sender, count) in [
        ("ana@shop.example", 1),
        ("@SHOP.example", 1),
        ("@example", 0),
        ("bob@shop.example", 0),
        ("na@shop.example", 0),
    ] {
        let exchanges = vec![listed(&["m1"]), mail("m1", "One", ""), marked("m1")];
        let Job(mut job, _server, _home) = job(exchanges, &json!({"sender_allowlist": [sender]}));
        job.tick().await;
        assert_eq!(job.host().published().len(), count, "{sender}");
    }
}

#[tokio::test]
async fn what_exceeds_a_tick_waits_and_all_pages_are_read() {
    let page = |ids: &[&str], place: Option<&str>, next: Option<&str>| {
        let messages: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let exchange = Exchange::get(MESSAGES).query("q", "is:unread").query("maxResults", "500");
        let exchange = match place {
            Some(place) => exchange.query("pageToken", place),
            None => exchange,
        };
        exchange.json(&json!({"messages": messages, "nextPageToken": next}))
    };
    let mut exchanges = vec![page(&["m3"], None, Some("2")), page(&["m2", "m1"], Some("2"), None)];
    exchanges.extend([("m1", "One"), ("m2", "Two"), ("m3", "Three")].map(|(id, subject)| mail(id, subject, "")));
    let Job(mut job, _server, _home) = job(exchanges, &json!({"max_per_tick": 2, "mark_read_on_dispatch": false}));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["One", "Two"]);
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["One", "Two", "Three"]);
}

#[tokio::test]
async fn the_cursor_stays_small() {
    let ids: Vec<String> = (0..REMEMBERED).map(|n| format!("old{n}")).collect();
    let exchanges = vec![listed(&["m1"]), mail("m1", "One", ""), marked("m1")];
    let Job(job, _server, _home) = job(exchanges, &json!({}));
    let mut job = job.resume_from(&Seen(ids.into()));
    job.tick().await;
    let Seen(seen) = job.cursor();
    assert_eq!((seen.len(), seen.back().map(String::as_str)), (REMEMBERED, Some("m1")));
}

#[tokio::test]
async fn refusals_say_what_to_do_and_the_rest_is_tried_again() {
    let used_up = json!({"error": {"errors": [{"reason": "rateLimitExceeded"}]}});
    for (answer, class, words) in [
        (Exchange::get(MESSAGES).status(401), ErrorClass::Permanent, "agent `test_agent` for channel `google`"),
        (Exchange::get(MESSAGES).status(403), ErrorClass::Permanent, "403"),
        (Exchange::get(MESSAGES).status(404), ErrorClass::Permanent, "404"),
        (Exchange::get(MESSAGES).status(403).json(&used_up), ErrorClass::Transient, "429"),
        (Exchange::get(MESSAGES).status(503), ErrorClass::Transient, "503"),
        (Exchange::get(MESSAGES).text("<html>"), ErrorClass::Transient, "is not JSON"),
    ] {
        let Job(mut job, _server, _home) = job(vec![answer], &json!({}));
        let error = job.try_tick().await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        job.host().assert_nothing_published();
    }
    let asked_to_wait = Exchange::get(MESSAGES).status(429).header("retry-after", "90");
    let Job(mut job, _server, _home) = job(vec![asked_to_wait], &json!({}));
    assert_eq!(job.try_tick().await.unwrap_err().retry_after().unwrap().as_secs(), 90);
}
