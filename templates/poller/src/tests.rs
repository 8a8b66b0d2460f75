use nexo_poller::prelude::*;
use nexo_poller_testkit::{Fault, JobTest};
use tempfile::TempDir;

use super::{Announced, {{kind | upper_camel_case}}};

const TOPIC: &str = "plugin.outbound.telegram.bot";

fn job(folder: &TempDir) -> JobTest {
    let config = json!({"folder": folder.path(), "deliver": {"channel": "telegram", "to": "42"}});
    let job = JobTest::new({{kind | upper_camel_case}}).config(config);
    job.host()
        .credentials("telegram", json!({"account_id": "bot"}));
    job
}

fn folder(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

#[tokio::test]
async fn a_new_file_is_announced_once() {
    let folder = folder(&["a", "b", ".hidden"]);
    let mut job = job(&folder);
    job.tick().await;
    job.host()
        .assert_published(TOPIC)
        .texts(["new file: a", "new file: b"]);
    job.tick().await;
    job.host().assert_nothing_else();
    assert_eq!(job.cursor::<Announced>().0.len(), 2);
}

#[tokio::test]
async fn a_publish_that_fails_loses_nothing() {
    let folder = folder(&["a", "b"]);
    let mut job = job(&folder);
    job.host().fault(
        Fault::on_topic(TOPIC)
            .call(2)
            .fails(HostError::unavailable("restarting")),
    );
    job.tick_expect_transient().await;
    job.tick().await;
    job.host()
        .assert_published(TOPIC)
        .texts(["new file: a", "new file: a", "new file: b"]);
}

#[tokio::test]
async fn a_missing_folder_is_tried_again() {
    let folder = folder(&[]);
    let mut job = job(&folder);
    drop(folder);
    let error = job.tick_expect_transient().await.to_string();
    assert!(error.contains("cannot read the folder"), "{error}");
}
