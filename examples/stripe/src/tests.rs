use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::time::Duration;

use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use nexo_poller_testkit::{CrashTest, Fault, JobTest};

use super::api::{Account, Api, Http};
use super::{Last, Stripe};

const TOPIC: &str = "plugin.outbound.telegram.bot";

/// The question of a first tick.
pub(super) fn newest() -> Exchange {
    Exchange::get("/v1/events").query("limit", "1")
}

fn hundred() -> Exchange {
    Exchange::get("/v1/events").query("limit", "100")
}

/// The question for what follows an event.
pub(super) fn after(number: i64) -> Exchange {
    hundred().query("ending_before", &format!("evt_{number}"))
}

/// The question for what was created after an event of this number.
fn created_after(number: i64) -> Exchange {
    hundred().query("created[gt]", &(number * 1000).to_string())
}

/// Answers with events of these numbers, as Stripe does: newest first.
pub(super) fn list<const N: usize>(asked: Exchange, numbers: [RangeInclusive<i64>; N], more: bool) -> Exchange {
    let event = |n: i64| {
        let object = json!({"amount": n * 100, "currency": "eur"});
        json!({"id": format!("evt_{n}"), "type": "charge.refunded", "created": n * 1000, "data": {"object": object}})
    };
    let events: Vec<Value> = numbers.into_iter().flat_map(|numbers| numbers.rev().map(event)).collect();
    asked.json(&json!({"object": "list", "data": events, "has_more": more}))
}

fn missing(asked: Exchange, status: u16) -> Exchange {
    let error = json!({"code": "resource_missing", "message": "No such event: 'evt_1'", "param": "ending_before"});
    asked.status(status).json(&json!({"error": error}))
}

fn last(number: i64) -> Last {
    Last { id: Some(format!("evt_{number}")), created: number * 1000 }
}

fn with(server: &HttpReplay, key: &str, value: Value) -> JobTest {
    let mut config = json!({
        "api_url": server.url("/"),
        "message_template": "{data.object.amount}",
        "deliver": {"channel": "telegram", "to": "42"},
    });
    config[key] = value;
    let job = JobTest::new(Stripe).config(config);
    job.host()
        .credentials("telegram", json!({"account_id": "bot"}))
        .credentials("stripe", json!({"account_id": "acme", "secret_key": "sk_test_hunter2"}));
    job
}

fn job(server: &HttpReplay) -> JobTest {
    with(server, "max_per_tick", json!(20))
}

fn texts(numbers: RangeInclusive<i64>) -> impl Iterator<Item = String> {
    numbers.map(|n| (n * 100).to_string())
}

#[tokio::test]
async fn the_first_tick_notes_the_newest_event_and_the_next_announces_what_follows_oldest_first() {
    let server = HttpReplay::of(
        [list(newest(), [7..=7], true), list(after(7), [8..=9], false), list(after(9), [], false)].into(),
    );
    let mut job = job(&server);
    job.tick().await;
    job.host().assert_nothing_published();
    assert_eq!(job.cursor::<Last>(), last(7));
    let ack = job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(8..=9)).containing(json!({"to": "42"}));
    assert_eq!(ack.metrics, Some(TickMetrics { items_seen: 2, items_dispatched: 2 }));
    job.tick().await;
    job.host().assert_nothing_else();
    assert_eq!(job.cursor::<Last>(), last(9));
    assert_eq!(server.asked_header("authorization")[0].as_deref(), Some("Bearer sk_test_hunter2"));
}

#[tokio::test]
async fn an_account_without_events_is_noted_too_and_its_first_event_is_news() {
    let empty = list(newest(), [], false);
    let server = HttpReplay::of([empty, list(created_after(0), [1..=1], false), list(after(1), [], false)].into());
    let mut job = job(&server);
    job.tick().await;
    assert_eq!(job.cursor::<Last>(), Last::default());
    job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(1..=1));
}

#[tokio::test]
async fn all_that_stripe_still_has_is_announced_where_that_is_wanted_in_ticks_of_bounded_size() {
    // Newest first: the oldest page is found from above, and from there pages follow upwards.
    let older = created_after(0).query("starting_after", "evt_101");
    let pages = [
        list(created_after(0), [101..=200], true),
        list(older, [1..=100], false),
        list(after(100), [101..=200], false),
        list(after(150), [151..=200], false),
    ];
    let server = HttpReplay::of(pages.into());
    let mut job = with(&server, "announce_existing", json!(true));
    let mut config = job.context().config;
    config["max_per_tick"] = json!(150);
    job = job.config(config);
    job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(1..=150));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(1..=200));
}

#[tokio::test]
async fn pages_follow_each_other_until_a_tick_is_full() {
    let server = HttpReplay::of([list(after(1), [2..=101], true), list(after(101), [102..=201], true)].into());
    let mut job = with(&server, "max_per_tick", json!(120)).resume_from(&last(1));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(2..=121));
    assert_eq!(job.cursor::<Last>(), last(121));
}

#[tokio::test]
async fn an_event_that_stripe_has_forgotten_is_no_end() {
    for status in [400, 404] {
        let server = HttpReplay::of(
            [missing(after(1), status), list(created_after(1), [5..=6], false), list(after(6), [], false)].into(),
        );
        let mut job = job(&server).resume_from(&last(1));
        job.tick().await;
        job.host().assert_published(TOPIC).texts(texts(5..=6));
        assert_eq!(job.cursor::<Last>(), last(6));
        let logs = job.host().logs();
        assert!(logs.iter().any(|line| line.message.contains("no longer knows the event evt_1")), "{logs:?}");
    }
}

#[tokio::test]
async fn only_the_types_that_are_wanted_are_asked_for() {
    let of_types = |asked: Exchange| asked.query("types[0]", "charge.refunded").query("types[1]", "payout.paid");
    let server =
        HttpReplay::of([list(of_types(newest()), [1..=1], false), list(of_types(after(1)), [2..=2], false)].into());
    let mut job = with(&server, "types", json!(["charge.refunded", "payout.paid"]));
    job.tick().await;
    job.tick().await;
    job.host().assert_published(TOPIC).texts(texts(2..=2));
}

#[tokio::test]
async fn a_message_has_an_id_that_comes_from_the_events() {
    let events = list(after(1), [2..=3], false);
    let server = HttpReplay::of([events.clone(), events].into());
    // Texts that are alike are still two messages.
    let mut job = with(&server, "message_template", json!("{type}")).resume_from(&last(1));
    job.host().fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    job.tick_expect_transient().await;
    job.tick().await;
    let sent = job.host().assert_published(TOPIC).times(3).messages();
    let events: Vec<&Value> = sent.iter().map(|message| &message.payload["event_id"]).collect();
    assert_eq!(events, ["evt_2", "evt_2", "evt_3"]);
    assert_eq!(sent[0].id, sent[1].id, "the repeat is known");
    assert_ne!(sent[1].id, sent[2].id, "the other event is not taken for it");
}

#[tokio::test]
async fn wherever_its_process_dies_every_event_is_announced_and_copies_can_be_told() {
    let server = HttpReplay::of([list(after(1), [2..=4], false)].into());
    for report in CrashTest::new(|| job(&server).resume_from(&last(1))).everywhere().await {
        assert_eq!(report.deliveries.len(), 3, "{report}");
    }
}

#[tokio::test]
async fn a_template_that_does_not_fit_announces_nothing() {
    let server = HttpReplay::of([list(after(1), [2..=3], false)].into());
    let mut job = with(&server, "message_template", json!("{data.object.reason}")).resume_from(&last(1));
    let error = job.tick_expect_config().await.to_string();
    assert!(error.contains("{data.object.reason}"), "{error}");
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn each_refusal_has_its_class_and_says_what_to_do() {
    let secret = json!({"error": {"message": "Invalid API Key provided: hunter2"}});
    for (code, advice) in
        [(401, "agent `test_agent` for channel `stripe`"), (403, "read events"), (404, "`api_url`"), (302, "302")]
    {
        let server = HttpReplay::of([newest().status(code).json(&secret)].into());
        let error = job(&server).tick_expect_permanent().await.to_string();
        assert!(error.contains(advice) && !error.contains("hunter2"), "{error}");
    }
    let refusal = json!({"error": {"message": "Invalid event type: 'charge.refund'"}});
    let server = HttpReplay::of([newest().status(400).json(&refusal), newest().status(400).text("no")].into());
    let error = job(&server).tick_expect_config().await.to_string();
    assert_eq!(error, "Stripe refuses the question: Invalid event type: 'charge.refund'");
    job(&server).tick_expect_config().await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_not_before_stripe_says() {
    let limited = after(1).status(429).header("retry-after", "90");
    let error = job(&HttpReplay::of([limited].into())).resume_from(&last(1)).tick_expect_transient().await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    for answer in [
        after(1).status(500),
        after(1).text("<html>maintenance</html>"),
        after(1).json(&json!({"object": "list"})),
        after(1).json(&json!({"data": [{"id": "evt_2"}]})),
    ] {
        let server = HttpReplay::of([answer].into());
        let mut job = job(&server).resume_from(&last(1));
        job.tick_expect_transient().await;
        assert_eq!(job.cursor::<Last>(), last(1));
    }
}

#[tokio::test]
async fn a_stripe_that_keeps_silent_is_given_up() {
    // It takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let http = Http::with_timeout(Duration::from_millis(50));
    let api = Api::new(&http, Some(&url), &Account { secret_key: "hunter2".into() }, "ana", &[]).unwrap();
    let given_up = api.newest().await.map(|event| event.map(|event| event.id));
    assert_eq!(given_up.unwrap_err().class(), ErrorClass::Transient);
}

#[tokio::test]
async fn an_account_that_is_no_use_says_what_it_must_hold() {
    let server = HttpReplay::of([list(newest(), [], false)].into());
    for account in [json!({"account_id": "acme"}), json!({"secret_key": "hun\nter2"})] {
        let mut job = job(&server);
        job.host().credentials("stripe", account);
        let error = job.tick_expect_config().await.to_string();
        assert!(
            error.contains("channel `stripe`") && error.contains("`secret_key`") && !error.contains("ter2"),
            "{error}"
        );
    }
    assert!(server.asked().is_empty());
}
