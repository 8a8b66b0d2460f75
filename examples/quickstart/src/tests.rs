use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nexo_poller::prelude::*;
use nexo_poller_testkit::{CrashTest, Fault, JobTest};
use tempfile::TempDir;

use super::{Announced, MOST_FILES, NewFiles};

const TOPIC: &str = "plugin.outbound.console.console";

/// A folder of its own, a job that looks at it, and a clock that starts ten seconds after the files were written.
fn job_with(files: &[&str]) -> (JobTest, TempDir) {
    let folder = TempDir::new().unwrap();
    for name in files {
        write(folder.path(), name, WRITTEN);
    }
    let config = json!({"folder": folder.path(), "deliver": {"channel": "console", "to": "you"}, "max_per_tick": 3});
    (JobTest::new(NewFiles).config(config).start_at("2026-01-05T12:00:10Z"), folder)
}

/// 2026-01-05T12:00:00Z.
const WRITTEN: Duration = Duration::from_secs(1_767_614_400);

fn write(folder: &Path, name: &str, at: Duration) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, name).unwrap();
    File::options().append(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH + at).unwrap();
    path
}

fn announced(job: &JobTest) -> Vec<String> {
    let texts = job.host().published().into_iter().map(|message| message.payload["text"].as_str().unwrap().to_owned());
    texts.map(|text| text.split_whitespace().nth(2).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_file_is_announced_once() {
    let (mut job, _folder) = job_with(&["report.pdf"]);
    job.tick().await;
    job.host()
        .assert_published(TOPIC)
        .times(1)
        .with_payload(json!({"to": "you", "text": "new file: report.pdf (10 bytes)"}));
    job.tick().await;
    job.host().assert_nothing_else();
}

#[tokio::test]
async fn files_of_the_same_moment_are_all_announced_a_few_per_tick_by_name() {
    let (mut job, _folder) = job_with(&["e", "b", "d", "a", "c"]);
    let ack = job.tick().await;
    assert_eq!(announced(&job), ["a", "b", "c"]);
    assert_eq!(ack.next_interval_hint, Some(Duration::from_secs(1)), "two are left: come back soon");
    job.tick().await;
    assert_eq!(announced(&job), ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_file_moved_here_with_an_old_time_is_announced() {
    let (mut job, folder) = job_with(&["today"]);
    job.tick().await;
    write(folder.path(), "from_2001", Duration::from_secs(1_000_000_000));
    job.tick().await;
    assert_eq!(announced(&job), ["today", "from_2001"]);
}

#[tokio::test]
async fn a_renamed_file_is_no_news() {
    let (mut job, folder) = job_with(&["draft"]);
    job.tick().await;
    fs::rename(folder.path().join("draft"), folder.path().join("final")).unwrap();
    job.tick().await;
    job.tick().await;
    assert_eq!(announced(&job), ["draft"]);
}

#[tokio::test]
async fn a_deleted_file_is_forgotten_and_news_again_when_it_comes_back() {
    let (mut job, folder) = job_with(&["a"]);
    job.tick().await;
    fs::remove_file(folder.path().join("a")).unwrap();
    job.tick().await;
    assert_eq!(job.cursor::<Announced>(), Announced::default());
    write(folder.path(), "a", WRITTEN);
    job.tick().await;
    assert_eq!(announced(&job), ["a", "a"]);
}

#[tokio::test]
async fn a_file_that_is_still_being_written_waits() {
    let (mut job, folder) = job_with(&[]);
    write(folder.path(), "growing", WRITTEN + Duration::from_millis(9_900));
    let ack = job.tick().await;
    job.host().assert_nothing_published();
    assert_eq!(ack.next_interval_hint, Some(Duration::from_secs(1)));
    job.advance(Duration::from_secs(1));
    job.tick().await;
    assert_eq!(announced(&job), ["growing"]);
}

#[tokio::test]
async fn a_file_from_the_future_is_announced_and_hidden_files_and_folders_are_not() {
    let (mut job, folder) = job_with(&[".hidden"]);
    write(folder.path(), "future", WRITTEN + Duration::from_secs(86_400));
    fs::create_dir(folder.path().join("subfolder")).unwrap();
    job.tick().await;
    assert_eq!(announced(&job), ["future"]);
}

#[tokio::test]
async fn a_publish_that_fails_moves_nothing_and_repeats_with_the_same_id() {
    let (mut job, _folder) = job_with(&["a", "b"]);
    job.host().fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    job.tick_expect_transient().await;
    job.tick().await;
    assert_eq!(announced(&job), ["a", "a", "b"]);
    let sent = job.host().published();
    assert_eq!(sent[0].id, sent[1].id);
}

#[tokio::test]
async fn a_missing_folder_is_retried_and_a_full_one_asks_for_a_hand() {
    let (mut job, folder) = job_with(&[]);
    for number in 0..=MOST_FILES {
        fs::write(folder.path().join(format!("{number}")), "").unwrap();
    }
    let error = job.tick_expect_permanent().await.to_string();
    assert!(error.contains("move some away"), "{error}");
    drop(folder);
    let error = job.tick_expect_transient().await.to_string();
    assert!(error.contains("cannot read the folder"), "{error}");
}

#[tokio::test]
async fn a_misspelt_key_is_named() {
    let job = JobTest::new(NewFiles).config(json!({"foldr": "x", "deliver": {"channel": "console", "to": "you"}}));
    let mut job = job;
    let error = job.tick_expect_config().await.to_string();
    assert!(error.contains("`foldr`") && error.contains("`folder`"), "{error}");
}

#[tokio::test]
async fn wherever_its_process_dies_every_file_is_announced_and_copies_can_be_told() {
    let (_, folder) = job_with(&["e", "b", "d", "a", "c"]);
    let config = json!({"folder": folder.path(), "deliver": {"channel": "console", "to": "you"}, "max_per_tick": 3});
    let world = || JobTest::new(NewFiles).config(config.clone()).start_at("2026-01-05T12:00:10Z");
    for report in CrashTest::new(world).ticks(2).everywhere().await {
        assert_eq!(report.deliveries.len(), 5, "{report}");
    }
}
