//! A real binary, that of the quickstart example, under the daemon's own supervisor.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::path::PathBuf;

use nexo_poller::contract::HostError;
use nexo_poller_testkit::process::{PluginPipes, PluginProcess, ProcessError, built_binary};
use nexo_poller_testkit::{Fault, JobTest, MockPollerHost};
use serde_json::json;
use tempfile::TempDir;

const TOPIC: &str = "plugin.outbound.telegram.bot";

fn quickstart() -> PathBuf {
    built_binary(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart"), "quickstart").unwrap()
}

fn host() -> MockPollerHost {
    MockPollerHost::new().credentials("telegram", json!({"account_id": "bot"}))
}

fn inbox(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in files {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

fn job(plugin: &PluginProcess, folder: &TempDir) -> JobTest {
    let config = json!({"folder": folder.path(), "deliver": {"channel": "telegram", "to": "42"}});
    JobTest::of_process(plugin, "new_files").unwrap().config(config)
}

#[tokio::test]
async fn its_ticks_publish_through_the_mocked_host_and_call_it() {
    let host = host();
    let plugin = PluginProcess::start(quickstart(), &host).await.unwrap();
    assert_eq!(plugin.manifest().plugin.id, "new_files");
    let folder = inbox(&["a", "b"]);
    let mut job = job(&plugin, &folder);
    job.tick().await;
    let sent = host.assert_published(TOPIC).texts(["new file: a (1 bytes)", "new file: b (1 bytes)"]).messages();
    assert_eq!(sent[0].job_id, "test_new_files");
    job.tick().await;
    host.assert_nothing_else();
    plugin.shutdown().await;
}

#[tokio::test]
async fn a_publish_that_fails_on_the_daemons_side_fails_the_tick_and_repeats_under_the_same_id() {
    let host = host();
    let plugin = PluginProcess::start(quickstart(), &host).await.unwrap();
    let folder = inbox(&["a", "b"]);
    let mut job = job(&plugin, &folder);
    host.fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    let error = job.tick_expect_transient().await.to_string();
    assert!(error.contains("published a message that has not gone out"), "{error}");
    job.tick().await;
    let sent = host.published();
    assert_eq!(sent[0].id, sent[1].id);
    assert_eq!(sent.len(), 3);
    plugin.shutdown().await;
}

#[tokio::test]
async fn it_is_killed_in_the_middle_of_a_tick_and_started_again_and_the_job_resumes() {
    let host = host();
    let plugin = PluginProcess::start(quickstart(), &host).await.unwrap();
    let folder = inbox(&["a"]);
    let mut job = job(&plugin, &folder);
    plugin.freeze().unwrap();
    let (error, ()) = tokio::join!(job.tick_expect_transient(), async {
        tokio::task::yield_now().await;
        plugin.kill().unwrap();
    });
    assert!(error.to_string().contains("was killed by signal 9"), "{error}");
    plugin.up_again().await.unwrap();
    assert_eq!(plugin.status().unwrap().restarts, 1);
    job.tick().await;
    host.assert_published(TOPIC).times(1);
    plugin.shutdown().await;
}

#[tokio::test]
async fn one_process_a_tick_does_the_same() {
    let host = host();
    let plugin = PluginProcess::start_ephemeral(quickstart(), &host).await.unwrap();
    assert!(plugin.status().is_none());
    let folder = inbox(&["a"]);
    let mut job = job(&plugin, &folder);
    for _ in 0..2 {
        job.tick().await;
    }
    host.assert_published(TOPIC).times(1);
    assert!(plugin.kill().is_err(), "there is no process between ticks");
}

#[tokio::test]
async fn its_bare_pipes_take_garbage_and_it_ends_when_the_daemon_is_gone() {
    let mut plugin = PluginPipes::start(quickstart(), "new_files").unwrap();
    plugin.write("this is no protocol").await.unwrap();
    assert_eq!(plugin.initialize().await.unwrap()["plugin"]["id"], "new_files");
    plugin.close_stdin();
    assert_eq!(plugin.read().await.unwrap(), None);
    let (_, said) = plugin.ended().await.unwrap();
    assert!(said.contains("a line that is not JSON-RPC was skipped"), "{said}");
}

#[tokio::test]
async fn what_is_no_plugin_says_why() {
    let host = host();
    let error = PluginProcess::start("/bin/true", &host).await.err().unwrap();
    assert!(matches!(error, ProcessError::NoPlugin(_)), "{error}");
    assert!(error.to_string().contains("/bin/true"), "{error}");
    let missing = built_binary(env!("CARGO_MANIFEST_DIR"), "nobody").unwrap_err().to_string();
    assert!(missing.contains("no bin target"), "{missing}");
    let plugin = PluginProcess::start_ephemeral(quickstart(), &host).await.unwrap();
    let error = JobTest::of_process(&plugin, "jira").err().unwrap().to_string();
    assert_eq!(error, "the plugin does not serve the kind `jira`; it serves `new_files`");
}
