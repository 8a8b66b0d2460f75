use std::net::TcpListener;
use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use nexo_poller_testkit::{CrashTest, Fault, JobTest};

use super::search::{Account, Api, Http, Search};
use super::{Jira, Seen};

const TOPIC: &str = "plugin.outbound.telegram.bot";
const CLOUD: &str = "/rest/api/3/search/jql";
const SERVER: &str = "/jira/rest/api/2/search";

/// An issue, as Jira shows one that changed at `time` of a day.
pub(super) fn issue(number: u32, time: &str) -> Value {
    json!({
        "id": (10_000 + number).to_string(),
        "key": format!("NX-{number}"),
        "fields": {
            "summary": format!("Summary of {{key}} {number}"),
            "assignee": null,
            "updated": format!("2026-11-23T{time}+0000"),
        },
    })
}

/// The last page of Cloud's answer to whatever is asked.
pub(super) fn page(issues: &[Value]) -> Exchange {
    Exchange::post(CLOUD).json(&json!({"issues": issues, "isLast": true}))
}

fn status(status: u16) -> Exchange {
    Exchange::post(CLOUD).status(status)
}

/// 08:00 was looked at.
fn since_eight() -> Seen {
    Seen { after: Some("2026-11-23T08:00:00Z".parse().unwrap()), ..Seen::default() }
}

fn job(server: &HttpReplay) -> JobTest {
    let config = json!({
        "base_url": server.url("/"),
        "jql": "project = NX OR text ~ \"order by\"",
        "message_template": "{key}",
        "deliver": {"channel": "telegram", "to": "42"},
    });
    let job = JobTest::new(Jira).config(config);
    job.host()
        .credentials("telegram", json!({"account_id": "bot"}))
        .credentials("jira", json!({"account_id": "acme", "email": "ana@acme.example", "api_token": "hunter2"}));
    job
}

fn with(server: &HttpReplay, key: &str, value: Value) -> JobTest {
    let job = job(server);
    let mut config = job.context().config;
    config[key] = value;
    job.config(config)
}

#[tokio::test]
async fn the_first_tick_notes_what_there_is_and_the_next_announces_what_has_changed_since() {
    let old = issue(1, "08:15:30.100");
    let news = [old.clone(), issue(2, "08:15:30.100"), issue(3, "08:15:30.101")];
    let server = HttpReplay::of([page(&[old]), page(&news)].into());
    let mut job = job(&server);
    job.tick().await;
    job.host().assert_nothing_published();
    let ack = job.tick().await;
    // JQL knows minutes only: what changed earlier in the minute comes again. What changed at the very instant up to which
    // the first tick has looked is old.
    job.host().assert_published(TOPIC).texts(["NX-3"]);
    assert_eq!(ack.metrics.unwrap().items_seen, 3);
    let asked: Vec<Value> = server.asked().into_iter().filter_map(|asked| asked.body).collect();
    assert_eq!(asked[0]["jql"], "(project = NX OR text ~ \"order by\") ORDER BY updated DESC");
    assert_eq!(
        asked[1]["jql"],
        "(project = NX OR text ~ \"order by\") AND updated >= 1795421730100 ORDER BY updated ASC"
    );
    let basic = Some("Basic YW5hQGFjbWUuZXhhbXBsZTpodW50ZXIy".to_owned());
    assert_eq!(server.asked_header("authorization"), [basic.clone(), basic]);
}

#[tokio::test]
async fn an_empty_jira_is_noted_too_and_its_first_issue_is_news() {
    let server = HttpReplay::of([page(&[]), page(&[issue(1, "08:15:00.000")])].into());
    let mut job = job(&server);
    job.tick().await;
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["NX-1"]);
}

#[tokio::test]
async fn with_since_the_first_tick_announces_what_has_changed_after_it() {
    let server = HttpReplay::of([page(&[issue(1, "07:59:59.999"), issue(2, "08:00:00.001")])].into());
    let mut job = with(&server, "since", json!("2026-11-23T09:00:00+01:00"));
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["NX-2"]);
}

#[tokio::test]
async fn issues_that_share_an_instant_or_turn_up_late_are_neither_lost_nor_repeated() {
    let first = [issue(1, "08:15:30.100"), issue(2, "08:15:30.100")];
    // 3 shares the instant, 4 changed before it, and both were not in the index yet; 1 has changed once more.
    let second = [issue(4, "08:14:45.000"), first[1].clone(), issue(3, "08:15:30.100"), issue(1, "08:15:31.000")];
    let server = HttpReplay::of([page(&first), page(&second), page(&second)].into());
    let mut job = job(&server).resume_from(&since_eight());
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["NX-1", "NX-2", "NX-4", "NX-3", "NX-1"]);
}

#[tokio::test]
async fn what_exceeds_a_tick_waits_and_the_memory_stays_small() {
    let many: Vec<Value> = (0..50).map(|n| issue(n, &format!("09:{n:02}:00.000"))).collect();
    let server = HttpReplay::of([page(&many)].into());
    let mut job = with(&server, "max_per_tick", json!(30)).resume_from(&since_eight());
    for announced in [30, 50, 50] {
        job.tick().await;
        job.host().assert_published(TOPIC).times(announced);
        assert!(job.cursor::<Seen>().announced.len() <= 2, "{:?}", job.cursor::<Seen>());
    }
    job.host().assert_published(TOPIC).texts((0..50).map(|n| format!("NX-{n}")));
}

#[tokio::test]
async fn cloud_is_read_page_after_page_by_token() {
    let (first, second) = ([issue(1, "08:15:00.000")], [issue(2, "08:16:00.000")]);
    let more = Exchange::post(CLOUD).json(&json!({"issues": first, "nextPageToken": "p2", "isLast": false}));
    let server = HttpReplay::of([more, page(&second)].into());
    let mut job = job(&server).resume_from(&since_eight());
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["NX-1", "NX-2"]);
    let tokens: Vec<Value> =
        server.asked().iter().map(|asked| asked.body.as_ref().unwrap()["nextPageToken"].clone()).collect();
    assert_eq!(tokens, [Value::Null, json!("p2")]);
}

#[tokio::test]
async fn a_server_is_read_by_position_with_pages_that_overlap() {
    let all: Vec<Value> = (0..30).map(|n| issue(n, &format!("08:{n:02}:00.000"))).collect();
    // While the first page is read, issue 5 changes again and moves to the end: 20 is now at place 19.
    let mut moved: Vec<Value> = all.iter().filter(|other| **other != all[5]).cloned().collect();
    moved.push(issue(5, "08:59:00.000"));
    let answer = |start: usize, issues: &[Value]| {
        Exchange::post(SERVER).json(&json!({"startAt": start, "maxResults": 20, "total": 30, "issues": issues}))
    };
    let server = HttpReplay::of([answer(0, &all[..20]), answer(10, &moved[10..])].into());
    let mut job = with(&server, "base_url", json!(server.url("/jira"))).resume_from(&since_eight());
    let mut config = job.context().config;
    (config["api"], config["max_per_tick"]) = (json!("server"), json!(100));
    job = job.config(config);
    job.host().credentials("jira", json!({"token": "hunter2"}));
    job.tick().await;
    let expected = (0..30).map(|n| format!("NX-{n}")).chain(["NX-5".to_owned()]);
    job.host().assert_published(TOPIC).texts(expected.filter({
        let mut zeroth = true;
        // 08:00 itself was looked at.
        move |_| !std::mem::take(&mut zeroth)
    }));
    assert_eq!(server.asked()[1].body.as_ref().unwrap()["startAt"], 10);
    assert_eq!(server.asked_header("authorization")[0].as_deref(), Some("Bearer hunter2"));
}

#[tokio::test]
async fn jira_is_asked_for_the_fields_that_the_template_names() {
    let server = HttpReplay::of([page(&[issue(1, "08:15:00.000")])].into());
    for (template, fields, text) in [
        ("{key} {fields.summary}", json!(["summary", "updated"]), "NX-1 Summary of {key} 1"),
        // Nobody is assigned.
        ("[{fields.assignee.displayName}]", json!(["assignee", "updated"]), "[]"),
        ("{id}", json!(["updated"]), "10001"),
    ] {
        let mut job = with(&server, "message_template", json!(template)).resume_from(&since_eight());
        job.tick().await;
        assert_eq!(server.asked().last().unwrap().body.as_ref().unwrap()["fields"], fields);
        job.host().assert_published(TOPIC).texts([text]);
    }
    let mut job = with(&server, "message_template", json!("{json}")).resume_from(&since_eight());
    job.tick().await;
    assert_eq!(server.asked().last().unwrap().body.as_ref().unwrap()["fields"], json!(["*navigable", "updated"]));
}

#[tokio::test]
async fn a_template_that_does_not_fit_announces_nothing() {
    let mut bare = issue(2, "08:15:01.000");
    bare["fields"]["summary"].take();
    bare["fields"].as_object_mut().unwrap().remove("assignee");
    let server = HttpReplay::of([page(&[issue(1, "08:15:00.000"), bare])].into());
    let mut job = with(&server, "message_template", json!("{fields.assignee}")).resume_from(&since_eight());
    let error = job.tick_expect_config().await.to_string();
    assert!(error.contains("{fields.assignee}"), "{error}");
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn each_refusal_has_its_class_and_says_what_to_do() {
    for (code, advice) in [
        (401, "agent `test_agent` for channel `jira`"),
        (403, "captcha"),
        (404, "`base_url` and `api`"),
        (302, "`base_url`"),
        (410, "410"),
    ] {
        let server = HttpReplay::of([status(code).text("hunter2")].into());
        let error = job(&server).tick_expect_permanent().await.to_string();
        assert!(error.contains(advice) && !error.contains("hunter2"), "{error}");
    }
    let reasons = json!({"errorMessages": ["The value 'NX' does not exist for the field 'project'."], "errors": {}});
    let server = HttpReplay::of([status(400).json(&reasons), status(400).text("<html>")].into());
    let error = job(&server).tick_expect_config().await.to_string();
    assert_eq!(error, "Jira refuses the search: The value 'NX' does not exist for the field 'project'.");
    let error = job(&server).tick_expect_config().await.to_string();
    assert!(error.contains("check `jql`"), "{error}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_not_before_jira_says() {
    let server = HttpReplay::of([status(429).header("retry-after", "90")].into());
    let limited = job(&server).tick_expect_transient().await;
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(90)));
    let dateless = json!({"id": "1", "fields": {"updated": "yesterday"}});
    for answer in [status(503), status(200).text("<html>login</html>"), status(200).json(&json!({})), page(&[dateless])]
    {
        let server = HttpReplay::of([answer].into());
        let mut job = job(&server).resume_from(&since_eight());
        job.tick_expect_transient().await;
        assert_eq!(job.cursor::<Seen>().after, since_eight().after);
    }
}

#[tokio::test]
async fn a_jira_that_keeps_silent_is_given_up() {
    // It takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let http = Http::with_timeout(Duration::from_millis(50));
    let search = Search::new(&http, &url, Api::Cloud, Account::Bearer { token: "hunter2".into() }, "ana").unwrap();
    let error =
        search.newest(&"project = NX".to_owned().try_into().unwrap_or_else(|_| unreachable!())).await.unwrap_err();
    assert_eq!(error.class(), nexo_poller::contract::ErrorClass::Transient, "{error}");
}

#[tokio::test]
async fn an_account_that_is_no_use_says_what_it_must_hold() {
    let server = HttpReplay::of([page(&[])].into());
    for account in [json!({"account_id": "acme"}), json!({"email": "ana@acme.example"}), json!({"token": "hun\nter2"})]
    {
        let mut job = job(&server);
        job.host().credentials("jira", account);
        let error = job.tick_expect_config().await.to_string();
        assert!(error.contains("channel `jira`") && error.contains("`token`") && !error.contains("ter2"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_publish_that_fails_repeats_with_the_same_ids() {
    let server = HttpReplay::of([page(&[issue(1, "08:15:00.000"), issue(2, "08:15:00.000")])].into());
    let mut job = job(&server).resume_from(&since_eight());
    job.host().fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    job.tick_expect_transient().await;
    job.tick().await;
    let sent = job.host().assert_published(TOPIC).texts(["NX-1", "NX-1", "NX-2"]).messages();
    assert_eq!(sent[0].id, sent[1].id);
}

#[tokio::test]
async fn wherever_its_process_dies_every_change_is_announced_and_copies_can_be_told() {
    let server = HttpReplay::of([page(&[issue(1, "08:15:00.000"), issue(2, "08:15:00.000")])].into());
    for report in CrashTest::new(|| job(&server).resume_from(&since_eight())).everywhere().await {
        assert_eq!(report.deliveries.len(), 2, "{report}");
    }
}
