use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller_testkit::JobTest;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};

use super::{Announced, {{kind | upper_camel_case}}};

const TOPIC: &str = "plugin.outbound.console.console";

fn job(server: &HttpReplay) -> JobTest {
    JobTest::new({{kind | upper_camel_case}}).config(json!({"base_url": server.url("/")}))
}

fn recorded() -> HttpReplay {
    HttpReplay::load("tests/recordings/items.json").unwrap()
}

#[tokio::test]
async fn all_pages_are_announced_once_oldest_first() {
    let server = recorded();
    let mut job = job(&server);
    job.tick().await;
    job.host()
        .assert_published(TOPIC)
        .texts(["#1 The first", "#2 The second", "#3 The third"]);
    assert_eq!(job.cursor::<Announced>(), Announced { up_to: 3 });
    job.tick().await;
    job.host().assert_nothing_else();
}

#[tokio::test]
async fn a_service_that_wants_to_be_left_alone_is_left_alone_for_as_long() {
    let busy = Exchange::get("/items")
        .status(429)
        .header("retry-after", "90");
    let error = job(&HttpReplay::of(Recording::from([busy])))
        .tick_expect_transient()
        .await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn a_key_that_was_revoked_pauses_the_job() {
    let refused = Exchange::get("/items").status(401);
    job(&HttpReplay::of(Recording::from([refused])))
        .tick_expect_permanent()
        .await;
}

#[tokio::test]
async fn an_answer_that_is_no_page_is_tried_again() {
    let login = Exchange::get("/items").text("<html>please log in</html>");
    job(&HttpReplay::of(Recording::from([login])))
        .tick_expect_transient()
        .await;
}
