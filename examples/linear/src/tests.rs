use std::net::TcpListener;
use std::time::Duration;

use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use nexo_poller_testkit::{CrashTest, Fault, JobTest};

use super::api::{Account, Api, Http, IssueFields, QUERY};
use super::{Linear, Seen};

const TOPIC: &str = "plugin.outbound.telegram.bot";

/// An issue, as Linear shows one that changed at `time` of a day.
pub(super) fn issue(number: u32, time: &str) -> Value {
    json!({
        "id": format!("uuid-{number}"),
        "identifier": format!("ENG-{number}"),
        "title": format!("Title of {{identifier}} {number}"),
        "assignee": null,
        "state": {"name": "In Progress"},
        "updatedAt": format!("2026-11-23T{time}Z"),
    })
}

/// A page of the answer to whatever is asked, `next` being where the next begins.
fn page_before(issues: &[Value], next: Option<&str>) -> Exchange {
    let info = json!({"hasNextPage": next.is_some(), "endCursor": next.or(Some("end"))});
    let issues = json!({"nodes": issues, "pageInfo": info});
    Exchange::post("/graphql").json(&json!({"data": {"teams": {"nodes": [{"key": "ENG"}]}, "issues": issues}}))
}

/// The last page.
pub(super) fn page(issues: &[Value]) -> Exchange {
    page_before(issues, None)
}

fn refusal(status: u16, code: &str) -> Exchange {
    let error = json!({"message": "because", "extensions": {"code": code, "userError": true}});
    Exchange::post("/graphql").status(status).json(&json!({"data": null, "errors": [error]}))
}

/// 08:00 was looked at.
fn since_eight() -> Seen {
    Seen { after: Some("2026-11-23T08:00:00Z".parse().unwrap()), ..Seen::default() }
}

fn with(server: &HttpReplay, key: &str, value: Value) -> JobTest {
    let mut config = json!({
        "api_url": server.url("/graphql"),
        "message_template": "{identifier}",
        "deliver": {"channel": "telegram", "to": "42"},
    });
    config[key] = value;
    let job = JobTest::new(Linear).config(config);
    job.host()
        .credentials("telegram", json!({"account_id": "bot"}))
        .credentials("linear", json!({"account_id": "acme", "api_key": "lin_api_hunter2"}));
    job
}

fn job(server: &HttpReplay) -> JobTest {
    with(server, "max_per_tick", json!(20))
}

/// The variables of each question.
fn variables(server: &HttpReplay) -> Vec<Value> {
    server.asked().into_iter().map(|asked| asked.body.unwrap()["variables"].take()).collect()
}

#[tokio::test]
async fn the_first_tick_notes_what_there_is_and_the_next_announces_what_has_changed_since() {
    let old = issue(1, "08:15:30.100");
    let news = [issue(3, "08:16:00.000"), issue(2, "08:15:30.101"), old.clone()];
    let server = HttpReplay::of([page(&[old]), page(&news)].into());
    let mut job = job(&server);
    job.tick().await;
    job.host().assert_nothing_published();
    let ack = job.tick().await;
    job.host().assert_published(TOPIC).texts(["ENG-2", "ENG-3"]);
    assert_eq!(ack.metrics.unwrap().items_seen, 3);
    let asked = variables(&server);
    assert_eq!(asked[0], json!({"teams": null, "issues": {}, "first": 1, "after": null}));
    assert_eq!(asked[1]["issues"], json!({"updatedAt": {"gte": "2026-11-23T08:15:30.100Z"}}));
    let key = Some("lin_api_hunter2".to_owned());
    assert_eq!(server.asked_header("authorization"), [key.clone(), key]);
}

#[tokio::test]
async fn an_empty_workspace_is_noted_too_and_its_first_issue_is_news() {
    let server = HttpReplay::of([page(&[]), page(&[issue(1, "08:15:00.000")])].into());
    let mut job = job(&server);
    job.tick().await;
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["ENG-1"]);
}

#[tokio::test]
async fn with_since_the_first_tick_announces_what_has_changed_after_it() {
    let server = HttpReplay::of([page(&[issue(2, "08:00:00.001"), issue(1, "07:59:59.999")])].into());
    let mut job = with(&server, "since", json!("2026-11-23T09:00:00+01:00"));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["ENG-2"]);
}

#[tokio::test]
async fn issues_that_share_an_instant_or_turn_up_late_are_neither_lost_nor_repeated() {
    let first = [issue(1, "08:15:30.100"), issue(2, "08:15:30.100")];
    // 3 shares the instant, 4 changed before it, and both could not be seen yet; 1 has changed once more.
    let second = [issue(1, "08:15:31.000"), issue(3, "08:15:30.100"), first[1].clone(), issue(4, "08:15:29.000")];
    let server = HttpReplay::of([page(&first), page(&second), page(&second)].into());
    let mut job = job(&server).resume_from(&since_eight());
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["ENG-1", "ENG-2", "ENG-4", "ENG-3", "ENG-1"]);
}

#[tokio::test]
async fn all_pages_are_read_and_what_exceeds_a_tick_waits() {
    let changed = |n: u32| issue(n, &format!("09:{n:02}:00.000"));
    let newest: Vec<Value> = (20..50).rev().map(changed).collect();
    // While the first page is read, an issue on the second moves up: the last of the first is on the second too.
    let oldest: Vec<Value> = (0..=20).rev().map(changed).collect();
    let pages = [page_before(&newest, Some("p2")), page(&oldest)];
    let server = HttpReplay::of(pages.clone().into_iter().chain(pages.clone()).chain(pages).collect());
    let mut job = with(&server, "max_per_tick", json!(30)).resume_from(&since_eight());
    for announced in [30, 50, 50] {
        job.tick().await;
        job.host().assert_published(TOPIC).times(announced);
        assert_eq!(job.cursor::<Seen>().announced.len(), 1);
    }
    job.host().assert_published(TOPIC).texts((0..50).map(|n| format!("ENG-{n}")));
    let places: Vec<Value> = variables(&server).into_iter().map(|mut asked| asked["after"].take()).collect();
    assert_eq!(places[..2], [Value::Null, json!("p2")]);
}

#[tokio::test]
async fn a_team_is_asked_for_by_its_key_and_one_that_is_not_there_is_said() {
    let nobody = json!({"data": {"teams": {"nodes": []}, "issues": {"nodes": [], "pageInfo": {"hasNextPage": false}}}});
    let server = HttpReplay::of([page(&[]), Exchange::post("/graphql").json(&nobody)].into());
    let mut job = with(&server, "team", json!("ENG"));
    job.tick().await;
    let asked = &variables(&server)[0];
    assert_eq!(
        (&asked["teams"], &asked["issues"]),
        (&json!({"key": {"eq": "ENG"}}), &json!({"team": {"key": {"eq": "ENG"}}}))
    );
    let error = job.tick_expect_config().await.to_string();
    assert_eq!(error, "`team`: the agent's account `linear` sees no team with the key \"ENG\"");
}

#[test]
fn what_a_message_can_name_is_asked_for() {
    let asked: Vec<&str> = QUERY.split(|c: char| !c.is_alphanumeric()).collect();
    for name in IssueFields::FIELDS.iter().filter(|name| **name != "json").flat_map(|name| name.split('.')) {
        assert!(asked.contains(&name), "`{name}`");
    }
}

#[tokio::test]
async fn a_template_that_does_not_fit_announces_nothing_and_nobody_is_no_name() {
    let server = HttpReplay::of([page(&[issue(1, "08:15:00.000")])].into());
    let text = "{identifier} {state.name} [{assignee.name}]";
    with(&server, "message_template", json!(text)).resume_from(&since_eight()).tick().await;
    let mut job = with(&server, "message_template", json!("{titel}")).resume_from(&since_eight());
    let error = job.tick_expect_config().await.to_string();
    assert!(error.contains("`titel`") && error.contains(" title, "), "{error}");
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn an_error_that_will_stay_pauses_the_job_whatever_its_status() {
    for (answer, advice) in [
        (refusal(200, "AUTHENTICATION_ERROR"), "agent `test_agent` for channel `linear`"),
        (refusal(401, "AUTHENTICATION_ERROR"), "renew them"),
        (Exchange::post("/graphql").status(401).text("hunter2"), "renew them"),
        (refusal(200, "FORBIDDEN"), "access"),
        (Exchange::post("/graphql").status(403), "access"),
        (refusal(400, "GRAPHQL_VALIDATION_FAILED"), "newer linear-poller"),
        (Exchange::post("/graphql").status(404).text("hunter2"), "`api_url`"),
        (Exchange::post("/graphql").status(302).header("location", "/login"), "302"),
    ] {
        let error = job(&HttpReplay::of([answer].into())).tick_expect_permanent().await.to_string();
        assert!(error.contains(advice) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_spent_budget_is_waited_out() {
    let asked_to_wait = refusal(200, "RATELIMITED").header("retry-after", "90");
    // The test's clock stands at 2026-11-23T08:00:00Z; the other budget is not the one that is spent.
    let reset = refusal(400, "RATELIMITED")
        .header("x-ratelimit-requests-remaining", "0")
        .header("x-ratelimit-requests-reset", "1795420830000")
        .header("x-ratelimit-complexity-remaining", "9000")
        .header("x-ratelimit-complexity-reset", "1795424400000");
    let bare = Exchange::post("/graphql").status(429);
    for (answer, seconds) in [(asked_to_wait, Some(90)), (reset, Some(30)), (bare, None)] {
        let server = HttpReplay::of([answer].into());
        let mut job = job(&server).start_at("2026-11-23T08:00:00Z");
        let error = job.tick_expect_transient().await;
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{error}");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let nodes = json!({"nodes": [{"id": "1", "updatedAt": "yesterday"}]});
    for answer in [
        refusal(200, "INTERNAL_SERVER_ERROR"),
        Exchange::post("/graphql").status(503).text("<html>maintenance</html>"),
        Exchange::post("/graphql").text("<html>login</html>"),
        Exchange::post("/graphql").json(&json!({"data": null})),
        Exchange::post("/graphql").json(&json!({"data": {"issues": nodes}})),
    ] {
        let server = HttpReplay::of([answer].into());
        let mut job = job(&server).resume_from(&since_eight());
        job.tick_expect_transient().await;
        assert_eq!(job.cursor::<Seen>().after, since_eight().after);
    }
}

#[tokio::test]
async fn a_linear_that_keeps_silent_is_given_up() {
    // It takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let http = Http::with_timeout(Duration::from_millis(50));
    let api = Api::new(&http, Some(&url), Account::Bearer { token: "hunter2".into() }, "ana", Utc::now()).unwrap();
    let given_up = api.issues(&json!({}), 1, None).await.map(|page| page.next);
    assert_eq!(given_up.unwrap_err().class(), ErrorClass::Transient);
}

#[tokio::test]
async fn an_account_that_is_no_use_says_what_it_must_hold() {
    let server = HttpReplay::of([page(&[])].into());
    for account in [json!({"account_id": "acme"}), json!({"api_key": "hun\nter2"})] {
        let mut job = job(&server);
        job.host().credentials("linear", account);
        let error = job.tick_expect_config().await.to_string();
        assert!(
            error.contains("channel `linear`") && error.contains("`api_key`") && !error.contains("ter2"),
            "{error}"
        );
    }
    let mut job = job(&server);
    job.host().credentials("linear", json!({"token": "oauth"}));
    job.tick().await;
    assert_eq!(server.asked_header("authorization"), [Some("Bearer oauth".to_owned())]);
}

#[tokio::test]
async fn a_publish_that_fails_repeats_with_the_same_ids() {
    let server = HttpReplay::of([page(&[issue(2, "08:15:00.000"), issue(1, "08:15:00.000")])].into());
    let mut job = job(&server).resume_from(&since_eight());
    job.host().fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    job.tick_expect_transient().await;
    job.tick().await;
    let sent = job.host().assert_published(TOPIC).texts(["ENG-1", "ENG-1", "ENG-2"]).messages();
    assert_eq!(sent[0].id, sent[1].id);
}

#[tokio::test]
async fn wherever_its_process_dies_every_change_is_announced_and_copies_can_be_told() {
    let server = HttpReplay::of([page(&[issue(2, "08:15:00.000"), issue(1, "08:15:00.000")])].into());
    for report in CrashTest::new(|| job(&server).resume_from(&since_eight())).everywhere().await {
        assert_eq!(report.deliveries.len(), 2, "{report}");
    }
}
