use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::JobTest;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use tempfile::TempDir;

use super::{GoogleCalendar, Seen};

const TOPIC: &str = "plugin.outbound.telegram.bot";
const EVENTS: &str = "/calendars/primary/events";

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

/// An event that changed at `time` of a day.
pub(super) fn event(summary: &str, time: &str) -> Value {
    json!({
        "id": summary, "status": "confirmed", "summary": summary, "updated": format!("2026-11-23T{time}Z"),
        "start": {"dateTime": "2026-12-24T12:00:00Z"}, "end": {"dateTime": "2026-12-24T13:00:00Z"},
        "htmlLink": format!("https://calendar.example/{summary}"),
    })
}

/// The last page, and where to go on.
pub(super) fn page(events: &[Value], sync_token: &str) -> Exchange {
    Exchange::get(EVENTS).json(&json!({"items": events, "nextSyncToken": sync_token}))
}

fn page_before(events: &[Value], next: &str) -> Exchange {
    Exchange::get(EVENTS).json(&json!({"items": events, "nextPageToken": next}))
}

/// A job, and what it needs to live on.
struct Job(JobTest, HttpReplay, TempDir);

/// A job whose calendar answers so, resumed from `seen`.
fn job(pages: Vec<Exchange>, seen: Option<Seen>, more: &Value) -> Job {
    let server = HttpReplay::of(pages.into_iter().collect());
    let (home, account) = account();
    let mut config = json!({
        "api_url": server.url("/"), "message_template": "{status} {summary}", "deliver": {"channel": "telegram", "to": "42"},
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    let mut job = JobTest::new(GoogleCalendar).config(config);
    if let Some(seen) = seen {
        job = job.resume_from(&seen);
    }
    job.host().credentials("telegram", json!({"account_id": "bot"})).credentials("google", account);
    Job(job, server, home)
}

fn seen_eight() -> Option<Seen> {
    Some(Seen { sync_token: Some("eight".to_owned()), newest: Some("2026-11-23T08:00:00Z".parse().unwrap()) })
}

/// The parameters of each question.
fn queries(server: &HttpReplay) -> Vec<Value> {
    server.asked().into_iter().map(|asked| json!(asked.query)).collect()
}

fn cancelled() -> Value {
    json!({"id": "gone", "status": "cancelled", "updated": "2026-11-23T09:00:00.000Z"})
}

#[tokio::test]
async fn the_first_tick_notes_what_there_is_page_by_page_and_the_next_announces_what_has_changed() {
    let pages = vec![
        page_before(&[event("old", "07:00:00.000")], "2"),
        page(&[event("older", "06:00:00.000")], "one"),
        page(&[event("new", "09:00:00.000")], "two"),
    ];
    let Job(mut job, server, _home) = job(pages, None, &json!({}));
    job.tick().await;
    job.host().assert_nothing_published();
    let ack = job.tick().await;
    job.host().assert_published(TOPIC).texts(["confirmed new"]);
    assert_eq!(ack.metrics.unwrap().items_seen, 1);
    let all = json!({"singleEvents": "true", "maxResults": "2500"});
    let with = |key: &str, value: &str| {
        let mut query = all.clone();
        query[key] = value.into();
        query
    };
    assert_eq!(queries(&server), [all.clone(), with("pageToken", "2"), with("syncToken", "one")]);
    assert_eq!(server.asked_header("authorization")[0].as_deref(), Some("Bearer ya29"));
}

#[tokio::test]
async fn an_empty_calendar_is_noted_too_and_its_first_event_is_news() {
    let Job(mut job, _server, _home) =
        job(vec![page(&[], "one"), page(&[event("new", "09:00:00.000")], "two")], None, &json!({}));
    job.tick().await;
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["confirmed new"]);
}

#[tokio::test]
async fn a_token_that_google_has_forgotten_costs_no_change_and_no_job() {
    let all = [event("old", "07:00:00.000"), event("same", "08:00:00.000"), event("new", "08:00:00.001")];
    let pages = vec![Exchange::get(EVENTS).status(410), page(&all, "nine"), page(&[], "ten")];
    let Job(mut job, server, _home) = job(pages, seen_eight(), &json!({}));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["confirmed new"]);
    assert!(job.host().logs()[0].message.contains("has forgotten the sync token"));
    job.tick().await;
    assert_eq!(queries(&server)[2]["syncToken"], "nine");
}

#[tokio::test]
async fn cancelled_events_are_left_out_unless_they_are_asked_for() {
    for (skip, texts) in [(true, vec![]), (false, vec!["cancelled "])] {
        let Job(mut job, _server, _home) =
            job(vec![page(&[cancelled()], "nine")], seen_eight(), &json!({"skip_cancelled": skip}));
        job.tick().await;
        if texts.is_empty() {
            job.host().assert_nothing_published();
        } else {
            job.host().assert_published(TOPIC).texts(texts);
        }
    }
}

#[tokio::test]
async fn each_instance_of_a_recurring_event_and_days_without_hours_are_told() {
    let mut monday = event("standup", "09:00:00.000");
    monday["recurringEventId"] = "series".into();
    let mut tuesday = monday.clone();
    tuesday["start"] = json!({"date": "2026-12-25"});
    let template = json!({"message_template": "{summary} {start}"});
    let Job(mut job, _server, _home) = job(vec![page(&[monday, tuesday], "nine")], seen_eight(), &template);
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["standup 2026-12-24T12:00:00Z", "standup 2026-12-25"]);
}

#[tokio::test]
async fn refusals_say_what_to_do_and_the_rest_is_tried_again() {
    let reason = |reason: &str| json!({"error": {"errors": [{"reason": reason}]}});
    for (answer, class, words) in [
        (Exchange::get(EVENTS).status(401), ErrorClass::Permanent, "agent `test_agent` for channel `google`"),
        (Exchange::get(EVENTS).status(403).json(&reason("forbidden")), ErrorClass::Permanent, "403"),
        (Exchange::get(EVENTS).status(404), ErrorClass::Permanent, "check `calendar_id`"),
        (Exchange::get(EVENTS).status(403).json(&reason("rateLimitExceeded")), ErrorClass::Transient, "429"),
        (Exchange::get(EVENTS).status(503), ErrorClass::Transient, "503"),
        (Exchange::get(EVENTS).text("<html>"), ErrorClass::Transient, "is not JSON"),
        (Exchange::get(EVENTS).json(&json!({})), ErrorClass::Transient, "no list of events"),
        (Exchange::get(EVENTS).json(&json!({"items": []})), ErrorClass::Transient, "neither a next page"),
    ] {
        let Job(mut job, _server, _home) = job(vec![answer], seen_eight(), &json!({}));
        let error = job.try_tick().await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        job.host().assert_nothing_published();
    }
    let asked_to_wait = Exchange::get(EVENTS).status(429).header("retry-after", "90");
    let Job(mut job, _server, _home) = job(vec![asked_to_wait], seen_eight(), &json!({}));
    assert_eq!(job.try_tick().await.unwrap_err().retry_after().unwrap().as_secs(), 90);
}
