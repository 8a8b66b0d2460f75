//! A failed assertion reads as the guide says it reads: each text of the guide is compared with the real one.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, where a panic is the failure")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use nexo_poller::prelude::*;
use nexo_poller_testkit::{JobTest, MockPollerHost};

const GUIDE: &str = include_str!("../../src/guide/failures.md");

struct Greet;

#[async_trait]
impl Poller for Greet {
    fn kind(&self) -> &'static str {
        "greet"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        ctx.publish("plugin.outbound.telegram.bot_1", &json!({"to": "1", "text": "hello"})).await?;
        ctx.publish("plugin.outbound.email.me", &json!({"to": "me", "text": "hello"})).await?;
        Ok(TickAck::with_cursor(&2)?.items(2, 2))
    }
}

/// The text block that stands under the line of the guide that begins with `call`.
fn promised(call: &str) -> &'static str {
    let after = GUIDE.split_once(call).unwrap_or_else(|| panic!("the guide does not show {call}")).1;
    after.split("```text\n").nth(1).unwrap().split("```").next().unwrap().trim_end()
}

fn failure_of(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion must fail");
    panic.downcast_ref::<String>().expect("a panic with a message").trim().to_owned()
}

async fn greeted() -> MockPollerHost {
    let host = MockPollerHost::new();
    JobTest::with_host(Greet, &host).tick().await;
    host
}

#[tokio::test]
async fn failed_assertions_read_as_the_guide_shows_them() {
    let host = greeted().await;
    let telegram = "plugin.outbound.telegram.*";
    let table: [(&str, &dyn Fn()); 4] = [
        ("assert_published(\"plugin.outbound.telegram.*\").times(2)", &|| {
            drop(host.assert_published(telegram).times(2));
        }),
        ("assert_published(\"plugin.outbound.telegram.*\").containing", &|| {
            drop(host.assert_published(telegram).containing(json!({"text": "goodbye"})));
        }),
        ("assert_published(\"plugin.outbound.>\").texts", &|| {
            drop(host.assert_published("plugin.outbound.>").texts(["hello", "goodbye"]));
        }),
        ("assert_order", &|| host.assert_order(["plugin.outbound.email.*", telegram])),
    ];
    for (call, assertion) in table {
        assert_eq!(failure_of(assertion), promised(call));
    }

    // What failed above has spoken of every message; in a fresh record only Telegram is asserted.
    let host = greeted().await;
    drop(host.assert_published(telegram));
    assert_eq!(failure_of(|| host.assert_nothing_else()), promised("assert_nothing_else"));
}

#[tokio::test]
async fn a_tick_that_ends_otherwise_names_the_job_its_time_and_the_line_of_the_test() {
    let host = MockPollerHost::new();
    let line = line!() + 2;
    let failed = tokio::spawn(async move {
        JobTest::with_host(Greet, &host).tick_expect_transient().await;
    });
    let panic = failed.await.expect_err("the assertion must fail").into_panic();
    let text = panic.downcast_ref::<String>().unwrap().trim().to_owned();
    let (shown, at) = text.rsplit_once("at: ").unwrap();
    let (promised, _) = promised("tick_expect_transient").rsplit_once("at: ").unwrap();
    assert_eq!(shown, promised);
    assert!(at.contains(&format!("failures.rs:{line}:")), "the panic points at {at}, the test ticks in line {line}");
}

#[tokio::test]
async fn a_cursor_of_another_type_is_shown_beside_the_type_that_was_asked_for() {
    let host = MockPollerHost::new();
    let mut job = JobTest::with_host(Greet, &host);
    job.tick().await;
    let text = failure_of(|| drop(job.cursor::<String>()));
    assert!(text.contains("as alloc::string::String") && text.ends_with('2'), "{text}");
}
