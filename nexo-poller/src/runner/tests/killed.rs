//! A real process on a real file, killed while it works: 20 times, or as often as `NEXO_TEST_KILLS` says.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;
use crate::store::{SqliteOptions, SqliteStore};

const DIR: &str = "NEXO_POLLER_KILLED_DIR";
const JOBS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// The process that is killed: this test, started again by the one below.
#[test]
#[ignore = "runs until it is killed; started by the test below"]
fn a_runner_that_works_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir).to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(dir.join("poller.db"), SqliteOptions::default()).unwrap();
        let registry = PollerRegistry::new();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
        let log = Arc::new(log);
        // The emission: one line, written at once, before the cursor moves.
        let poller = scripted("emit", move |ctx| {
            let log = Arc::clone(&log);
            async move {
                let count = count_of(ctx.cursor.as_deref());
                let line = format!("{} {count}\n", ctx.job_id);
                (&*log).write_all(line.as_bytes()).map_err(|error| PollerError::transient(error.to_string()))?;
                TickAck::with_cursor(&(count + 1))
            }
        });
        let limits = KindLimits { max_concurrent_ticks: 64, tick_timeout: Duration::from_millis(200) };
        registry.register(poller, limits).unwrap();
        let options = RunnerOptions {
            min_lease_ttl: Duration::from_millis(500),
            cancel_grace: Duration::from_millis(100),
            ..RunnerOptions::default()
        };
        let clock = Arc::new(SystemClock);
        let runner = PollerRunner::start(Arc::new(store), registry, Arc::new(Hosts::default()), options, clock);
        let schedule = Schedule::every(Duration::from_millis(20)).unwrap();
        let jobs = (0..JOBS).map(|n| JobSpec::new(format!("job_{n}"), "emit", "ana", schedule.clone())).collect();
        runner.apply(jobs).await.unwrap();
        std::future::pending::<()>().await;
    });
}

fn start(dir: &Path) -> Child {
    let name = "runner::tests::killed::a_runner_that_works_until_it_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
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

fn wait_for(dir: &Path, what: &str, done: impl Fn(&HashMap<String, Vec<u64>>) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(&emitted(dir)) {
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn kills_lose_no_cursor_and_repeat_at_most_the_tick_in_flight() {
    let kills = rounds("NEXO_TEST_KILLS", 20);
    let dir = tempfile::tempdir().unwrap();
    let total = |emitted: &HashMap<String, Vec<u64>>| emitted.values().map(Vec::len).sum::<usize>();
    let mut random = crate::runner::seed::Sequence::new(42);
    for _ in 0..kills {
        let before = total(&emitted(dir.path()));
        let more = 20 + usize::try_from(random.next() % 400).unwrap();
        let mut child = start(dir.path());
        wait_for(dir.path(), "progress", |emitted| total(emitted) > before + more);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Every job goes on, those too whose lease a killed process held.
    let before: HashMap<_, _> = emitted(dir.path()).into_iter().map(|(job, counts)| (job, counts.len())).collect();
    let mut child = start(dir.path());
    wait_for(dir.path(), "a tick of every job", |now| {
        now.len() == JOBS && now.iter().all(|(job, counts)| counts.len() > before.get(job).map_or(0, |n| n + 1))
    });
    child.kill().unwrap();
    child.wait().unwrap();

    let mut repeated = 0;
    for (job, counts) in emitted(dir.path()) {
        assert_eq!(counts[0], 0);
        for pair in counts.windows(2) {
            // A tick that starts from a cursor proves that it was durable: none after it may start from an older one.
            assert!(pair[1] == pair[0] + 1 || pair[1] == pair[0], "{job}: {} after {}", pair[1], pair[0]);
            repeated += u64::from(pair[1] == pair[0]);
        }
        let repeats = counts.windows(2).filter(|pair| pair[1] == pair[0]).count() as u64;
        assert!(repeats <= kills, "{job}: {repeats} repeats in {kills} kills");
    }
    println!("figure reliability.kills value={kills} unit=kills limit=0 ratio=0 note=0-lost-{repeated}-repeated-ticks");
}
