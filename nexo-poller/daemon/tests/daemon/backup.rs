//! A copy of the job state while the daemon works, and the way back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::home::{Home, PATIENCE};

const HOURLY: &str = "schedule: { every: 1h }";

/// What a copy says of a job's cursor.
fn cursor_in(copy: &Path, job: &str) -> u64 {
    let store = rusqlite::Connection::open(copy).unwrap();
    let cursor: Option<Vec<u8>> =
        store.query_row("SELECT cursor FROM job WHERE id = ?1", [job], |row| row.get(0)).unwrap();
    cursor.map_or(0, |cursor| String::from_utf8(cursor).unwrap().parse().unwrap())
}

fn count(home: &Home, job: &str) -> u64 {
    home.cursor(job).map_or(0, |cursor| String::from_utf8(cursor).unwrap().parse().unwrap())
}

#[test]
fn a_copy_is_made_while_ticks_run_and_a_restored_one_is_gone_on_from() {
    let jobs: Vec<String> = (0..8)
        .map(|n| format!("id: job_{n}, kind: chatty, schedule: {{ every: 1s }}, config: {{ do: count }}"))
        .chain([format!("id: by_hand, kind: chatty, {HOURLY}, config: {{ do: count }}")])
        .collect();
    let home = Home::with_jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = home.boot();
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "by_hand"]).code, Some(0));
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while (0..8).any(|n| count(&home, &format!("job_{n}")) == 0) {
        assert!(std::time::Instant::now() < deadline);
    }
    // One after another, so that ticks are written meanwhile; each is whole, and none behind the one before.
    let mut last = [0; 8];
    for round in 0..10 {
        let copy = home.path().join(format!("copy_{round}.db"));
        let said = home.run(&["backup", copy.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stdout.contains(": the state of 9 jobs, ") && said.stdout.contains(" KiB"), "{said:?}");
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(cursor_in(&copy, "by_hand"), 3);
        for (n, last) in last.iter_mut().enumerate() {
            let now = cursor_in(&copy, &format!("job_{n}"));
            assert!(now >= (*last).max(1) && now <= count(&home, &format!("job_{n}")), "job_{n}: {now} after {last}");
            *last = now;
        }
    }
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("tmp")), "{left:?}");
    assert_eq!(home.run(&["run", "by_hand"]).code, Some(0));
    drop(daemon); // SIGKILL: a write-ahead log stays behind
    let data = home.path().join("data");
    std::fs::copy(home.path().join("copy_9.db"), data.join("poller.db")).unwrap();
    for log in ["poller.db-wal", "poller.db-shm"] {
        let _ = std::fs::remove_file(data.join(log));
    }
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "by_hand"]).code, Some(0));
    assert_eq!(count(&home, "by_hand"), 4, "on from 3, as the copy has it");
    daemon.stop();
}

#[test]
fn a_copy_overwrites_nothing_unless_it_is_told_to_and_never_the_state_itself() {
    let home = Home::with_jobs(&[&format!("id: one, kind: chatty, {HOURLY}, config: {{ do: count }}")]);
    let said = home.run(&["backup", "copy.db"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("there is no job state at") && !home.path().join("data").exists(), "{said:?}");
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "one"]).code, Some(0));
    daemon.stop();
    // Without a daemon as well, and the state is only read.
    let before = std::fs::read(home.path().join("data/poller.db")).unwrap();
    let answer = home.json(&["backup", "copy.db"]);
    assert_eq!((&answer["jobs"], answer["bytes"].as_u64().unwrap() >= 4096), (&1.into(), true), "{answer}");
    assert_eq!(std::fs::read(home.path().join("data/poller.db")).unwrap(), before);
    home.write("copy.db", "my diary");
    let said = home.run(&["backup", "copy.db"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("is there already") && said.stderr.contains("--force"), "{said:?}");
    assert_eq!(std::fs::read_to_string(home.path().join("copy.db")).unwrap(), "my diary");
    assert_eq!(home.run(&["backup", "copy.db", "--force"]).code, Some(0));
    assert_eq!(cursor_in(&home.path().join("copy.db"), "one"), 1);
    let said = home.run(&["backup", "data/poller.db", "--force"]);
    assert!(said.code == Some(1) && said.stderr.contains("it is the job state itself"), "{said:?}");
    let said = home.run(&["backup", "nowhere/copy.db"]);
    assert!(said.code == Some(1) && said.stderr.contains("nowhere/copy.db"), "{said:?}");
    home.write("data/poller.db", "this is no database");
    let said = home.run(&["backup", "other.db"]);
    assert!(said.code == Some(1) && said.stderr.contains("not an SQLite database"), "{said:?}");
    assert!(!home.path().join("other.db").exists());
}

#[test]
fn a_copy_of_state_that_is_elsewhere_says_how_it_is_made() {
    let home = Home::with_jobs(&[]);
    home.jobs("  broker: { url: \"nats://127.0.0.1:1\", state: { bucket: pollers } }\n", &[]);
    let said = home.run(&["backup", "copy.db"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("nats stream backup KV_pollers FOLDER"), "{said:?}");
    home.jobs("", &[]);
    let said = home.run(&["backup", "copy.db", "--admin-url", "http://127.0.0.1:1"]);
    assert!(said.code == Some(1) && said.stderr.contains("run it on the daemon's"), "{said:?}");
}
