//! A runner as a real process on a real file: killed while it works (20 times, or as often as `NEXO_TEST_KILLS` says), and
//! stopped past its leases while another takes over.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const JOBS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);

static RUNNER: LazyLock<PathBuf> = LazyLock::new(|| fixtures::built("fixture_runner"));

/// A process that runs the jobs of a directory; dropping it kills it.
struct Runner(Child);

impl Runner {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(&*RUNNER);
        command.arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was emitted: the counts of each job, in order. A line that the kill cut off is none.
fn emitted(dir: &Path) -> HashMap<String, Vec<u64>> {
    let mut counts: HashMap<String, Vec<u64>> = HashMap::new();
    let text = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let (job, count) = line.split_once(' ').unwrap();
        counts.entry(job.to_owned()).or_default().push(count.parse().unwrap());
    }
    counts
}

fn total(emitted: &HashMap<String, Vec<u64>>) -> usize {
    emitted.values().map(Vec::len).sum()
}

/// Looks again and again: a file tells nobody that it has grown.
fn wait_for(dir: &Path, what: &str, done: impl Fn(&HashMap<String, Vec<u64>>) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(&emitted(dir)) {
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Every job has had `more` ticks beside those of `before`.
fn each_goes_on(before: &HashMap<String, Vec<u64>>, more: usize) -> impl Fn(&HashMap<String, Vec<u64>>) -> bool {
    let before: HashMap<_, _> = before.iter().map(|(job, counts)| (job.clone(), counts.len())).collect();
    move |now| {
        now.len() == JOBS && now.iter().all(|(job, counts)| counts.len() >= before.get(job).map_or(0, |n| n + more))
    }
}

/// What the store holds: each job's cursor and fencing number.
fn stored(dir: &Path) -> HashMap<String, (u64, i64)> {
    let store = rusqlite::Connection::open(dir.join("poller.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let mut rows = store.prepare("SELECT id, cursor, epoch FROM job").unwrap();
    let jobs = rows.query_map([], |row| {
        let cursor: Option<Vec<u8>> = row.get(1)?;
        let count = cursor.map_or(0, |cursor| serde_json::from_slice(&cursor).unwrap());
        Ok((row.get(0)?, (count, row.get(2)?)))
    });
    jobs.unwrap().map(Result::unwrap).collect()
}

/// Stops `runner` where it does not hold the file's write lock: SQLite waits for whoever has it, awake or not.
fn stop_between_writes(runner: &Runner, dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it was always writing");
        runner.signal(Signal::STOP);
        let store = rusqlite::Connection::open(dir.join("poller.db")).unwrap();
        store.busy_timeout(Duration::from_millis(50)).unwrap();
        if store.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return;
        }
        runner.signal(Signal::CONT);
    }
}

#[test]
fn kills_lose_no_cursor_and_repeat_at_most_the_tick_in_flight() {
    let kills = std::env::var("NEXO_TEST_KILLS").map_or(20, |text| text.parse().expect("a number of kills"));
    let dir = tempfile::tempdir().unwrap();
    for kill in 0..kills {
        let before = total(&emitted(dir.path()));
        // Somewhere else in its work each time: 20 to 419 ticks later.
        let more = 20 + kill * 7919 % 400;
        let _runner = Runner::start(dir.path());
        wait_for(dir.path(), "progress", |emitted| total(emitted) > before + more);
    }
    // Every job goes on, those too whose lease a killed process held.
    let before = emitted(dir.path());
    let last = Runner::start(dir.path());
    wait_for(dir.path(), "a tick of every job", each_goes_on(&before, 2));
    drop(last);

    let mut repeated = 0;
    for (job, counts) in emitted(dir.path()) {
        assert_eq!(counts[0], 0);
        for pair in counts.windows(2) {
            // A tick that starts from a cursor proves that it was durable: none after it may start from an older one.
            assert!(pair[1] == pair[0] + 1 || pair[1] == pair[0], "{job}: {} after {}", pair[1], pair[0]);
        }
        let repeats = counts.windows(2).filter(|pair| pair[1] == pair[0]).count();
        assert!(repeats <= kills, "{job}: {repeats} repeats in {kills} kills");
        repeated += repeats;
    }
    println!("figure reliability.kills value={kills} unit=kills limit=0 ratio=0 note=0-lost-{repeated}-repeated-ticks");
}

#[test]
fn a_runner_that_was_stopped_past_its_leases_writes_nothing_when_it_wakes_up() {
    let dir = tempfile::tempdir().unwrap();
    let sleeper = Runner::start(dir.path());
    wait_for(dir.path(), "a tick of every job", |emitted| emitted.len() == JOBS);
    stop_between_writes(&sleeper, dir.path());
    let other = Runner::start(dir.path());
    // All jobs go on, so every lease that the sleeper held has run out and was taken over.
    wait_for(dir.path(), "ticks of every job under the other", each_goes_on(&emitted(dir.path()), 4));
    let before = stored(dir.path());
    sleeper.signal(Signal::CONT);
    wait_for(dir.path(), "ticks of every job after the wake-up", each_goes_on(&emitted(dir.path()), 4));
    drop((sleeper, other));
    for (job, (count, epoch)) in stored(dir.path()) {
        let (count_before, epoch_before) = before[&job];
        assert!(count >= count_before, "{job}: the cursor went back from {count_before} to {count}");
        assert!(epoch >= epoch_before, "{job}: the fencing number went back from {epoch_before} to {epoch}");
    }
}
