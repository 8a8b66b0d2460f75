use std::process::Command;
use std::time::Duration;

use nexo_poller::builtins::WebhookPoll;
use nexo_poller::prelude::*;
use nexo_poller_testkit::JobTest;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};

const TOPIC: &str = "plugin.outbound.telegram.bot";

fn server<const N: usize>(answers: [Exchange; N]) -> HttpReplay {
    HttpReplay::of(Recording::from(answers))
}

fn items(numbers: impl Iterator<Item = usize>) -> Value {
    numbers.map(|n| json!({"id": n, "title": format!("Item {n}")})).collect()
}

fn config(server: &HttpReplay) -> Value {
    json!({
        "url": server.url("/items"),
        "message_template": "{title}",
        "deliver": {"channel": "telegram", "to": "42"},
        "allow_private_networks": true,
    })
}

fn with(mut config: Value, key: &str, value: impl Into<Value>) -> Value {
    config[key] = value.into();
    config
}

fn job(config: Value) -> JobTest {
    let job = JobTest::new(WebhookPoll).config(config);
    job.host().credentials("telegram", json!({"account_id": "bot"}));
    job
}

fn answer(body: &Value) -> Exchange {
    Exchange::get("/items").json(body)
}

#[tokio::test]
async fn items_are_announced_once_and_what_exceeds_a_tick_waits_for_the_next() {
    let server = server([answer(&items(1..=3)).header("etag", "\"v1\"")]);
    let mut job = job(with(config(&server), "max_per_tick", 2));
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["Item 1", "Item 2", "Item 3"]);
    // A version counts as seen only once nothing of it is left.
    assert_eq!(server.asked_header("if-none-match"), [None, None, Some("\"v1\"".to_owned())]);
}

#[tokio::test]
async fn an_unchanged_answer_is_asked_for_by_its_versions_and_changes_nothing() {
    let modified = "Wed, 21 Oct 2015 07:28:00 GMT";
    let first = answer(&items(1..=1)).header("etag", "W/\"1\"").header("last-modified", modified);
    let server = server([first, Exchange::get("/items").status(304)]);
    let mut job = job(config(&server));
    job.tick().await;
    let cursor = job.cursor_bytes().map(<[u8]>::to_vec);
    job.tick().await;
    assert_eq!(job.cursor_bytes().map(<[u8]>::to_vec), cursor);
    assert_eq!(server.asked_header("if-none-match"), [None, Some("W/\"1\"".to_owned())]);
    assert_eq!(server.asked_header("if-modified-since"), [None, Some(modified.to_owned())]);
    job.host().assert_published(TOPIC).times(1);
}

#[tokio::test]
async fn items_and_ids_are_found_at_dotted_paths_and_templates_reach_into_items() {
    let body =
        json!({"data": {"list": [{"by": {"name": "Ana"}, "meta": {"key": "a"}}, {"meta": {"key": "a"}, "by": 1}]}});
    let server = server([answer(&body)]);
    let config = with(with(config(&server), "items_path", "data.list"), "id_field", "meta.key");
    let mut job = job(with(config, "message_template", "{by.name} {{raw}} {json}"));
    job.tick().await;
    // The second has the first one's id.
    // Whether keys keep their order or are sorted is up to how JSON was built; here it is the same.
    job.host().assert_published(TOPIC).texts([r#"Ana {raw} {"by":{"name":"Ana"},"meta":{"key":"a"}}"#]);
}

#[tokio::test]
async fn a_request_is_made_as_the_config_says_with_the_secrets_of_the_owning_agent() {
    let post = Exchange::post("/items").sent(json!({"query": "open"})).json(&items(1..=1));
    let server = server([post]);
    let config = with(with(config(&server), "method", "POST"), "body", json!({"query": "open"}));
    let mut job = job(with(config, "headers", json!({"Authorization": "Bearer ${tracker.token}", "X-Plain": "$${x}"})));
    job.host().credentials("tracker", json!({"account_id": "t", "token": "hunter2"}));
    job.tick().await;
    assert_eq!(server.asked_header("authorization"), [Some("Bearer hunter2".to_owned())]);
    assert_eq!(server.asked_header("x-plain"), [Some("${x}".to_owned())]);
    assert_eq!(server.asked_header("content-type"), [Some("application/json".to_owned())]);
    job.host().credentials("tracker", json!({"account_id": "t"}));
    let error = job.tick_expect_permanent().await.to_string();
    assert!(error.contains("`tracker`") && error.contains("has no text `token`"), "{error}");
}

#[tokio::test]
async fn each_status_has_its_class_and_retry_after_is_kept() {
    for (status, permanent) in
        [(400, true), (401, true), (403, true), (404, true), (408, false), (500, false), (503, false)]
    {
        let server = server([Exchange::get("/items").status(status)]);
        let mut job = job(config(&server));
        if permanent {
            job.tick_expect_permanent().await;
        } else {
            job.tick_expect_transient().await;
        }
    }
    let server = server([Exchange::get("/items").status(429).header("retry-after", "90")]);
    let error = job(config(&server)).tick_expect_transient().await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    assert_eq!(
        error.to_string(),
        "the server answered with HTTP status 429: it is asked too often; if it stays so, give the job a longer interval"
    );
}

#[tokio::test]
async fn what_does_not_fit_the_config_is_a_config_error_that_names_it_and_nothing_is_sent() {
    let body = json!({"items": [{"id": 1, "title": "hunter2"}, {"id": 2}]});
    let server = server([answer(&body)]);
    let fits = with(config(&server), "items_path", "items");
    for (config, said) in [
        (config(&server), "no list at `items_path: \"\"`; it has items"),
        (fits.clone(), "names `{title}`, which this item does not have; it has id"),
        (with(fits, "id_field", "key"), "item 1 of the answer has no text or number at `id_field: \"key\"`"),
    ] {
        let mut job = job(config);
        let error = job.tick_expect_config().await.to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        job.host().assert_nothing_published();
    }
}

#[tokio::test]
async fn five_hundred_ids_are_remembered_and_more_items_are_refused_rather_than_repeated() {
    let server = server([answer(&items(1..=500)), answer(&items(301..=800)), answer(&items(1..=501))]);
    let mut job = job(with(config(&server), "max_per_tick", 1000));
    job.tick().await;
    job.host().assert_published(TOPIC).times(500);
    job.tick().await;
    job.host().assert_published(TOPIC).times(800);
    assert_eq!(job.cursor::<Value>()["hashes"].as_array().unwrap().len(), 500);
    let error = job.tick_expect_permanent().await.to_string();
    assert!(error.contains("501 items, and 500 is the most"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_json_may_be_better_later_and_is_not_shown() {
    let server = server([Exchange::get("/items").text("<html>hunter2")]);
    let error = job(config(&server)).tick_expect_transient().await.to_string();
    assert_eq!(error, "the answer is not JSON (line 1, column 1)");
}

#[tokio::test]
async fn a_server_on_this_machine_is_not_reached_unless_the_job_may() {
    let server = server([answer(&items(1..=1))]);
    let error = job(with(config(&server), "allow_private_networks", false)).tick_expect_permanent().await.to_string();
    assert!(error.contains("set `allow_private_networks: true`"), "{error}");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_wrong_config_is_refused_when_the_job_is_loaded() {
    let good = json!({"url": "https://a.example/x?key=hunter2", "message_template": "{id}", "deliver": {"channel": "a", "to": "1"}});
    assert!(WebhookPoll.validate(&good).is_ok());
    for (key, value, said) in [
        ("url", json!("ftp://hunter2"), "an http or https address"),
        ("url", json!("hunter2"), "an http or https address"),
        ("method", json!("FETCH"), "method"),
        ("headers", json!({"a b": "hunter2"}), "not a header name"),
        ("headers", json!({"x-key": "hunter2 ${x}"}), "header `x-key`: a secret is written `${channel.field}`"),
        ("message_template", json!("{id"), "has no other half"),
        ("message_template", json!(""), "must not be empty"),
        ("max_per_tick", json!(0), "max_per_tick"),
        ("interval", json!(1), "unknown field `interval`"),
        ("deliver", json!({"channel": "a"}), "deliver"),
    ] {
        let error = WebhookPoll.validate(&with(good.clone(), key, value)).unwrap_err().to_string();
        assert!(error.contains(said), "{key}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_source_whose_ids_and_versions_are_long_makes_no_long_cursor() {
    let answers: Vec<Exchange> = (0..20)
        .map(|answer| {
            // 490 ids of 2 kB: 1 MB.
            let long = (0..490).map(|n| json!({"id": format!("{answer}-{n}-{}", "x".repeat(2_000)), "title": "t"}));
            Exchange::get("/items").json(&long.collect()).header("etag", &"e".repeat(4_000))
        })
        .collect();
    let server = HttpReplay::of(Recording::from(<[Exchange; 20]>::try_from(answers).unwrap()));
    let mut job = job(with(config(&server), "max_per_tick", 490));
    let mut longest = 0;
    for _ in 0..20 {
        job.tick().await;
        longest = longest.max(job.cursor_bytes().map_or(0, <[u8]>::len));
    }
    job.host().assert_published(TOPIC).times(20 * 490);
    println!("20 answers of 1 MB: the cursor has {longest} bytes at most");
    assert!(longest < 16 * 1024, "{longest}");
}

#[tokio::test]
async fn the_ids_in_a_cursor_of_an_older_version_are_known() {
    let server = server([answer(&items(1..=3))]);
    let older = json!({"ids": ["1", "2"], "etag": null, "last_modified": null});
    let mut job = job(config(&server)).resume_from(&older);
    job.tick().await;
    job.tick().await;
    job.host().assert_published(TOPIC).texts(["Item 3"]);
}

/// Run by the test below, in a process of its own: others use memory as well.
#[tokio::test]
#[ignore = "measured by a_million_items_are_refused_while_they_are_read_and_never_built"]
async fn four_million_items() {
    let million = format!("[{}1]", "1,".repeat(3_999_999));
    let server = server([Exchange::get("/items").text(&million)]);
    let mut job = job(config(&server));
    let before = peak_memory().unwrap();
    let error = job.tick_expect_permanent().await.to_string();
    assert!(error.contains("4000000 items, and 500 is the most"), "{error}");
    println!("4,000,000 items of 8 MB took {} MiB", (peak_memory().unwrap() - before) >> 20);
}

#[test]
fn a_million_items_are_refused_while_they_are_read_and_never_built() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let done =
        alone.args(["--exact", "webhook_poll::four_million_items", "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
    let figure = said.lines().find(|line| line.contains("items of 8 MB took")).unwrap();
    println!("{figure}");
    let mib: usize = figure.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    // The text itself as the server sends it and as it comes, and no value of it: those would take 128 MiB.
    assert!(mib < 64, "{figure}");
}

/// The most that this process has used, in bytes.
fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}
