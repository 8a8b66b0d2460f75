//! The guide on porting a poller: what it shows is the same poller twice, and its figures are true.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use nexo_poller::prelude::*;
use nexo_poller_testkit::JobTest;

mod after {
    include!("port/after.rs");

    pub(super) fn job() -> nexo_poller_testkit::JobTest {
        nexo_poller_testkit::JobTest::new(Prices)
    }
}

#[expect(dead_code, clippy::cast_possible_truncation, clippy::default_trait_access, reason = "it is as it was found")]
mod before {
    include!("port/before.rs");

    pub(super) fn job() -> nexo_poller_testkit::JobTest {
        nexo_poller_testkit::JobTest::new(PricesPoller)
    }
}

/// The messages with their ids, and the cursor, of three ticks; the second finds nothing new.
async fn lived_through(job: JobTest) -> (Vec<(String, Value, String)>, Vec<u8>) {
    let config =
        |tea: u32| json!({"items": [["tea", tea], ["milk", 3]], "deliver": {"channel": "telegram", "to": "42"}});
    let mut job = job.config(config(5));
    job.host().credentials("telegram", json!({"account_id": "bot"}));
    job.tick().await;
    job.tick().await;
    let mut job = job.config(config(6));
    job.tick().await;
    let sent = job.host().published().into_iter().map(|sent| (sent.topic, sent.payload, sent.id)).collect();
    (sent, job.cursor_bytes().unwrap().to_vec())
}

#[tokio::test]
async fn the_ported_poller_sends_the_same_messages_and_goes_on_from_the_same_cursor() {
    let before = lived_through(before::job()).await;
    let after = lived_through(after::job()).await;
    assert_eq!(before.0.len(), 3);
    assert_eq!(before, after);
}

#[test]
fn the_guide_counts_right() {
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    let (before, after) = (lines(include_str!("port/before.rs")), lines(include_str!("port/after.rs")));
    let told = format!("{before} lines before, {after} after");
    let guide = include_str!("../../src/guide/port.md");
    assert!(guide.contains(&told), "the guide must say: {told}");
}
