use std::time::Duration;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::store::{Claim, ClaimAnswer, Commit, JobState, VirtualClock, WriteAnswer, conformance};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("poller.db");
    (dir, path)
}

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, SqliteOptions { busy_timeout: Duration::from_millis(100), ..SqliteOptions::default() })
}

fn refused(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let message = open(path).unwrap_err().to_string();
    assert_eq!(std::fs::read(path).unwrap(), before, "the file is left untouched");
    message
}

fn new(id: &str) -> NewJob {
    NewJob::new(id, JobState::default())
}

#[tokio::test]
async fn the_sqlite_store_keeps_every_rule() {
    let (_dir, path) = place();
    let clock = Arc::new(VirtualClock::at(UnixMs(1_700_000_000_000)));
    let clock_of_store: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let store = SqliteStore::open(path, SqliteOptions { clock: clock_of_store, ..SqliteOptions::default() }).unwrap();
    let elapse = |time: Duration| {
        clock.jump(i64::try_from(time.as_millis()).unwrap());
        std::future::ready(())
    };
    conformance::check(&store, elapse).await.unwrap();
}

#[tokio::test]
async fn the_file_is_its_owners_only_and_keeps_state_over_a_restart() {
    let (_dir, path) = place();
    for round in 0..3u8 {
        let store = open(&path).unwrap();
        let job = store.open_jobs(vec![new("a")]).await.unwrap().remove(0);
        assert_eq!(job.state.cursor.as_deref(), (round > 0).then_some([round].as_slice()));
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        }
        let claim = Claim { key: job.key, revision: job.revision, epoch: job.epoch, ttl: Duration::from_secs(30) };
        let claims = store.write(Batch { claims: vec![claim], ..Batch::of("me".into()) }).await.unwrap().claims;
        let [ClaimAnswer::Granted { epoch, revision, .. }] = claims[..] else { panic!("{claims:?}") };
        let state = JobState { cursor: Some([round + 1].into()), ..JobState::default() };
        let commit = Commit { key: job.key, epoch, revision, state };
        let commits = store.write(Batch { commits: vec![commit], ..Batch::of("me".into()) }).await.unwrap().commits;
        assert!(matches!(commits[..], [WriteAnswer::Done { .. }]), "{commits:?}");
    }
}

/// Power may fail while the log grows: whatever part of it is left, what is read is a state that was committed.
#[tokio::test]
async fn a_write_ahead_log_that_was_cut_short_gives_an_earlier_commit_whole() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    let job = store.open_jobs(vec![new("a")]).await.unwrap().remove(0);
    let claim = Claim { key: job.key, revision: job.revision, epoch: job.epoch, ttl: Duration::from_secs(30) };
    let (mut revision, mut epoch) = (job.revision, job.epoch);
    for round in 1..=40u8 {
        let claim = Claim { revision, epoch, ..claim };
        let claims = store.write(Batch { claims: vec![claim], ..Batch::of("me".into()) }).await.unwrap().claims;
        let [ClaimAnswer::Granted { epoch: granted, revision: claimed, .. }] = claims[..] else { panic!("{claims:?}") };
        // Long enough to lie on several pages, so that half a commit would show.
        let state = JobState { cursor: Some(vec![round; 9000].into()), ..JobState::default() };
        let commit = Commit { key: job.key, epoch: granted, revision: claimed, state };
        let commits = store.write(Batch { commits: vec![commit], ..Batch::of("me".into()) }).await.unwrap().commits;
        let [WriteAnswer::Done { revision: written, epoch: kept }] = commits[..] else { panic!("{commits:?}") };
        (revision, epoch) = (written, kept);
    }
    let (file, log) = (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("db-wal")).unwrap());
    let mut latest = 0;
    for cut in (0..=20).map(|part| log.len() * part / 20) {
        let (_dir, copy) = place();
        std::fs::write(&copy, &file).unwrap();
        std::fs::write(copy.with_extension("db-wal"), &log[..cut]).unwrap();
        // Before the first commit there is no job at all, and before the first page no database.
        let Ok(store) = open(&copy) else { panic!("{cut} of {} bytes cannot be opened", log.len()) };
        let cursor = store.open_jobs(vec![new("a")]).await.unwrap().remove(0).state.cursor.unwrap_or_default();
        let round = cursor.first().copied().unwrap_or_default();
        assert!(cursor.iter().all(|byte| *byte == round), "half of commit {round} after {cut} bytes");
        assert!(round >= latest, "more of the log gives {round} after {latest}");
        latest = round;
    }
    assert_eq!(latest, 40, "the whole log holds every commit");
}

#[tokio::test]
async fn many_jobs_are_opened_at_once_and_found_again() {
    let (_dir, path) = place();
    let ids: Vec<_> = (0..5000).map(|n| format!("job_{n:05}")).collect();
    let all = || ids.iter().map(|id| new(id)).collect::<Vec<_>>();
    let first = open(&path).unwrap().open_jobs(all()).await.unwrap();
    assert!(first.windows(2).all(|pair| pair[0].key < pair[1].key), "keys ascend in the order given");
    assert_eq!(open(&path).unwrap().open_jobs(all()).await.unwrap(), first);
}

#[test]
fn what_is_no_job_state_is_reported_and_never_overwritten() {
    let (_dir, path) = place();
    std::fs::write(&path, "pollers:\n  enabled: true\n").unwrap();
    assert!(refused(&path).contains("it is not an SQLite database; it was left untouched"));

    let (_dir, path) = place();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE mail (id INTEGER)").unwrap();
    assert!(refused(&path).contains("it is the database of another program"));

    let (_dir, path) = place();
    drop(open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    assert!(refused(&path).contains("has schema version 9, this program knows up to 1"));

    let (_dir, path) = place();
    drop(open(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[4096..].fill(0xAA);
    std::fs::write(&path, &bytes[..length]).unwrap();
    assert!(refused(&path).contains("is not usable as job state"));
}

#[test]
fn a_file_of_no_bytes_is_taken_for_a_truncated_one_and_not_for_a_new_one() {
    let (_dir, path) = place();
    std::fs::write(&path, "").unwrap();
    let message = refused(&path);
    assert!(message.contains("it is empty") && message.contains("restore a backup"), "{message}");
    // What the start of a process that was killed left behind is nobody's state.
    let (dir, path) = place();
    std::fs::write(dir.path().join(format!("poller.db.{}.new", std::process::id())), "").unwrap();
    drop(open(&path).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_file_that_may_only_be_read_is_refused_before_a_tick_runs() {
    let (dir, path) = place();
    drop(open(&path).unwrap());
    let lock = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode | 0o100)).unwrap();
    };
    lock(0o400);
    // Root may write whatever its mode says.
    let writable = std::fs::OpenOptions::new().append(true).open(&path).is_ok();
    let opened = open(&path);
    lock(0o600);
    match opened {
        Ok(_) => assert!(writable),
        Err(error) => {
            assert!(!writable && error.to_string().contains("poller.db` cannot be opened for writing"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_or_replaced_while_it_is_open_is_noticed_and_well_once_it_is_back() {
    let (dir, path) = place();
    let store = open(&path).unwrap();
    store.open_jobs(vec![new("a")]).await.unwrap();
    let aside = dir.path().join("aside.db");
    let answered = async |wrong: bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = store.write(Batch::default()).await;
            if answer.is_err() == wrong {
                return answer.err().map(|error| error.to_string()).unwrap_or_default();
            }
            assert!(Instant::now() < deadline, "{answer:?}");
            tokio::task::yield_now().await;
        }
    };
    std::fs::rename(&path, &aside).unwrap();
    let error = answered(true).await;
    assert!(error.contains("was deleted or replaced while it was in use") && error.contains("put the file"), "{error}");
    std::fs::rename(&aside, &path).unwrap();
    answered(false).await;
    drop(store);
    assert_eq!(open(&path).unwrap().open_jobs(vec![new("a")]).await.unwrap()[0].revision, 1, "it is the same file");
}

#[tokio::test]
async fn a_damaged_column_stops_its_own_job_and_says_which_it_is() {
    let (_dir, path) = place();
    let few: Vec<_> = (0..3).map(|n| new(&format!("job_{n}"))).collect();
    let many: Vec<_> = (0..600).map(|n| new(&format!("job_{n}"))).collect();
    let store = open(&path).unwrap();
    let before = store.open_jobs(many.clone()).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    for (column, value) in [
        ("pause", "'{'"),
        ("failure", "'7'"),
        ("attempt", "-5"),
        ("breaker_trips", "99999999999"),
        ("lease_owner", "CAST(x'ff' AS TEXT)"),
    ] {
        other.execute_batch(&format!("UPDATE job SET {column} = {value} WHERE id = 'job_1'")).unwrap();
        for jobs in [&few, &many] {
            let opened = store.open_jobs(jobs.clone()).await.unwrap();
            let pause = opened[1].state.pause.as_ref().expect("it is paused");
            assert!(
                pause.reason.contains("job `job_1`") && pause.reason.contains(&format!("`{column}`")),
                "{}",
                pause.reason
            );
            assert_eq!((&opened[0], &opened[2]), (&before[0], &before[2]), "the others go on");
        }
        // Whoever knew it before, and writes it under another revision than it has.
        let stale = StoredJob { revision: 77, ..before[1].clone() };
        let ttl = Duration::from_secs(30);
        let batch = Batch::of("me".into())
            .with_claims([Claim::of(&stale, ttl), Claim::of(&before[2], ttl)])
            .with_edits([crate::store::Edit::of(&stale, JobState::default(), false)]);
        let answers = store.write(batch).await.unwrap();
        assert!(
            matches!(&answers.claims[0], ClaimAnswer::Refused(why) if why.contains(column)),
            "{:?}",
            answers.claims
        );
        assert!(matches!(&answers.edits[0], WriteAnswer::Refused(why) if why.contains(column)), "{:?}", answers.edits);
        assert!(matches!(answers.claims[1], ClaimAnswer::Granted { .. }), "{:?}", answers.claims);
        other.execute_batch("DELETE FROM job WHERE id IN ('job_1', 'job_2')").unwrap();
        let again = store.open_jobs(few.clone()).await.unwrap();
        assert_eq!(again[1].state, JobState::default(), "it starts over");
        other
            .execute_batch("UPDATE job SET key = 2 WHERE id = 'job_1'; UPDATE job SET key = 3 WHERE id = 'job_2'")
            .unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let (dir, _) = place();
    let path = dir.path().join("missing").join("poller.db");
    let message = open(&path).unwrap_err().to_string();
    assert!(message.contains("missing/poller.db` cannot be opened for writing"), "{message}");
}

#[tokio::test]
async fn a_locked_file_is_an_error_that_passes() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    store.open_jobs(vec![new("a")]).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.open_jobs(vec![new("b")]).await.unwrap_err().to_string();
    assert!(error.contains("the file is locked by another process"), "{error}");
    assert!(open(&path).unwrap_err().to_string().contains("locked"));
    other.execute_batch("ROLLBACK").unwrap();
    store.open_jobs(vec![new("b")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_on_one_file_never_grant_one_lease_twice() {
    let (_dir, path) = place();
    let stores = [Arc::new(open(&path).unwrap()), Arc::new(open(&path).unwrap())];
    let jobs: Vec<_> = (0..200).map(|n| new(&format!("job_{n:03}"))).collect();
    let known = stores[0].open_jobs(jobs).await.unwrap();
    let claims: Vec<_> = known
        .iter()
        .map(|job| Claim { key: job.key, revision: job.revision, epoch: job.epoch, ttl: Duration::from_secs(60) })
        .collect();
    let claiming = stores.map(|store| {
        let claims = claims.clone();
        tokio::spawn(async move {
            let mut granted = Vec::new();
            for claim in claims {
                let owner: Arc<str> = format!("{:p}", Arc::as_ptr(&store)).into();
                let deadline = Instant::now() + Duration::from_secs(30);
                let answer = loop {
                    match store.write(Batch { claims: vec![claim], ..Batch::of(Arc::clone(&owner)) }).await {
                        Ok(answers) => break answers.claims[0].clone(),
                        Err(error) => assert!(Instant::now() < deadline, "{error}"),
                    }
                };
                granted.extend(matches!(answer, ClaimAnswer::Granted { .. }).then_some(claim.key));
            }
            granted
        })
    });
    let mut granted = Vec::new();
    for claimant in claiming {
        granted.extend(claimant.await.unwrap());
    }
    granted.sort_unstable();
    assert_eq!(granted, known.iter().map(|job| job.key).collect::<Vec<_>>());
}

/// Otherwise the runner would take a full disk for one with room again.
#[tokio::test]
async fn an_empty_batch_is_written_all_the_same() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    let log = || std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    store.open_jobs(vec![new("a")]).await.unwrap();
    let before = log();
    store.write(Batch::default()).await.unwrap();
    assert!(log() > before);
    drop(store);
    open(&path).unwrap();
}
