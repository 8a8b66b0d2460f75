//! What the runner costs, each figure beside its limit or peer from the same run.
//!
//! `cargo bench -p nexo-poller --features sqlite --bench runner`, or with the name of one figure after `--`
//! (`saturated`, `small`, `idle`, `startup`, `lag`, `curve`).

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark ends where something fails")]

#[path = "support/no_host.rs"]
mod no_host;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nexo_poller::prelude::*;
use nexo_poller::runner::{
    HostProvider, JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule, TickIdentity,
};
use nexo_poller::store::{SqliteOptions, SqliteStore};

use self::no_host::NoHost;

#[derive(Default)]
struct Noop {
    ticks: AtomicU64,
    late_ms: std::sync::Mutex<Option<Vec<u32>>>,
}

struct Kind(Arc<Noop>);

#[async_trait]
impl Poller for Kind {
    fn kind(&self) -> &'static str {
        "noop"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let count = self.0.ticks.fetch_add(1, Ordering::Relaxed);
        let _ = ctx;
        Ok(TickAck { next_cursor: Some(count.to_be_bytes().to_vec()), ..TickAck::new() })
    }
}

/// Hands out one host, and notes how late each tick is made.
struct Hosts {
    host: Arc<NoHost>,
    noop: Arc<Noop>,
}

impl HostProvider for Hosts {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        if let Some(late) = self.noop.late_ms.lock().unwrap().as_mut() {
            let now = Utc::now().timestamp_millis();
            late.push(
                u32::try_from((now - tick.run_key.map_or(now, |at| at.timestamp_millis())).max(0)).unwrap_or(u32::MAX),
            );
        }
        Arc::clone(&self.host) as Arc<dyn PollerHost>
    }
}

struct Bench {
    runner: PollerRunner,
    noop: Arc<Noop>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn start(max_in_flight: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::on(dir, max_in_flight)
    }

    fn on(dir: tempfile::TempDir, max_in_flight: usize) -> Self {
        let store = SqliteStore::open(dir.path().join("poller.db"), SqliteOptions::default()).unwrap();
        let (registry, noop) = (PollerRegistry::new(), Arc::new(Noop::default()));
        let limits = KindLimits::new(usize::MAX, Duration::from_secs(60));
        registry.register(Arc::new(Kind(Arc::clone(&noop))), limits).unwrap();
        let mut options = RunnerOptions::default();
        options.max_in_flight = max_in_flight;
        let hosts = Hosts { host: Arc::new(NoHost::default()), noop: Arc::clone(&noop) };
        let runner = PollerRunner::builder(store, registry, hosts).options(options).start();
        Self { runner, noop, dir }
    }

    async fn load(&self, count: usize, every: Duration) -> Duration {
        let specs = jobs(count, every);
        let started = Instant::now();
        let plan = self.runner.apply(specs).await.unwrap();
        assert_eq!(plan.add.len(), count);
        started.elapsed()
    }

    /// Ticks and CPU seconds of `time`.
    async fn measure(&self, time: Duration) -> (u64, f64, Duration) {
        let (ticks, cpu, started) = (self.noop.ticks.load(Ordering::Relaxed), cpu_secs(), Instant::now());
        tokio::time::sleep(time).await;
        (self.noop.ticks.load(Ordering::Relaxed) - ticks, cpu_secs() - cpu, started.elapsed())
    }

    async fn stop(self) -> tempfile::TempDir {
        self.runner.shutdown(Duration::from_secs(30)).await;
        self.dir
    }
}

fn jobs(count: usize, every: Duration) -> Vec<JobSpec> {
    let schedule = Schedule::every(every).unwrap();
    let config = json!({"url": "https://example.org/feed"});
    let job = |n: usize| {
        JobSpec::new(format!("job_{n:07}"), "noop", format!("agent_{}", n % 100), schedule.clone())
            .with_config(config.clone())
    };
    (0..count).map(job).collect()
}

/// User and system time of this process, all threads.
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn rss_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

fn figure(name: &str, value: f64, unit: &str, limit: f64, note: &str) {
    let ratio = if limit == 0.0 { 0.0 } else { value / limit };
    let mut out = std::io::stdout().lock();
    writeln!(out, "figure runner.{name} value={value:.4} unit={unit} limit={limit:.4} ratio={ratio:.3} note={note}")
        .expect("stdout");
    out.flush().expect("stdout");
}

/// The same durable work without us: state upsert, lease take and release, batches of 1,000, ascending integer keys.
fn sqlite_limit(jobs: i64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = rusqlite::Connection::open(dir.path().join("limit.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; \
             PRAGMA wal_autocheckpoint = 8000;
             CREATE TABLE state (key INTEGER PRIMARY KEY, cursor BLOB, next_due INTEGER, errors INTEGER);
             CREATE TABLE lease (key INTEGER PRIMARY KEY, owner TEXT, until INTEGER, epoch INTEGER);",
        )
        .unwrap();
    let started = Instant::now();
    let mut done = 0_i64;
    while started.elapsed() < Duration::from_secs(4) {
        for first in (0..jobs).step_by(1000) {
            let keys = first..(first + 1000).min(jobs);
            let transaction = connection.transaction().unwrap();
            {
                let mut take = transaction
                    .prepare_cached(
                        "INSERT INTO lease VALUES (?1, ?2, ?3, 1) ON CONFLICT (key) DO UPDATE SET owner = ?2, until = ?3, \
                         epoch = epoch + 1 WHERE owner IS NULL",
                    )
                    .unwrap();
                let mut state = transaction
                    .prepare_cached(
                        "INSERT INTO state VALUES (?1, ?2, ?3, 0) ON CONFLICT (key) DO UPDATE SET cursor = ?2, next_due = ?3",
                    )
                    .unwrap();
                let mut release = transaction.prepare_cached("UPDATE lease SET owner = NULL WHERE key = ?1").unwrap();
                for key in keys.clone() {
                    take.execute(rusqlite::params![key, "owner", 1_700_000_000_000_i64]).unwrap();
                }
                for key in keys.clone() {
                    state.execute(rusqlite::params![key, done.to_be_bytes(), 1_700_000_000_000_i64]).unwrap();
                }
                for key in keys.clone() {
                    release.execute([key]).unwrap();
                }
            }
            transaction.commit().unwrap();
            done += keys.end - keys.start;
        }
    }
    done as f64 / started.elapsed().as_secs_f64()
}

async fn saturated() {
    for (jobs, every, name) in [
        (10_000, Duration::from_millis(20), "durable_ticks_per_s"),
        (100_000, Duration::from_millis(200), "durable_ticks_per_s_100k"),
    ] {
        let limit = sqlite_limit(jobs);
        let bench = Bench::start(4096);
        bench.load(usize::try_from(jobs).unwrap(), every).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (ticks, cpu, time) = bench.measure(Duration::from_secs(6)).await;
        let rate = ticks as f64 / time.as_secs_f64();
        figure(name, rate, "1/s", limit, &format!("cores-{:.2}-limit-is-sqlite-alone", cpu / time.as_secs_f64()));
        bench.stop().await;
    }
}

async fn small() {
    // The peer: a task and a sleep for each, nothing durable.
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(n)).await;
                let mut interval = tokio::time::interval(Duration::from_secs(1));
                loop {
                    interval.tick().await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (cpu, started) = (cpu_secs(), Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let limit = (cpu_secs() - cpu) / started.elapsed().as_secs_f64();
    tasks.into_iter().for_each(|task| task.abort());
    let bench = Bench::start(1024);
    bench.load(1000, Duration::from_secs(1)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (ticks, cpu, time) = bench.measure(Duration::from_secs(10)).await;
    let note = format!("{ticks}-durable-ticks-limit-is-task-and-sleep");
    figure("cpu_cores_1000x1s", cpu / time.as_secs_f64(), "cores", limit, &note);
    figure("rss_mib_1000x1s", rss_bytes() / 1_048_576.0, "MiB", 20.0, "limit-is-the-target");
    bench.stop().await;
}

async fn startup() {
    for (count, name) in [(100_000, "startup_100k_s"), (1_000_000, "startup_1m_s")] {
        let started = Instant::now();
        let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)))).collect();
        let limit = started.elapsed().as_secs_f64();
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        drop(tasks);
        let bench = Bench::start(1024);
        let first = bench.load(count, Duration::from_secs(86_400)).await;
        let dir = bench.stop().await;
        let started = Instant::now();
        let bench = Bench::on(dir, 1024);
        let opened = started.elapsed();
        let again = bench.load(count, Duration::from_secs(86_400)).await + opened;
        let note = format!("second-start-{:.2}-s-limit-is-task-spawns", again.as_secs_f64());
        figure(name, first.as_secs_f64(), "s", limit, &note);
        bench.stop().await;
    }
}

/// Resident bytes of a job that waits, in a process that did nothing else before.
async fn bytes(count: usize, name: &str) {
    let before = rss_bytes();
    let bench = Bench::start(1024);
    bench.load(count, Duration::from_secs(86_400)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bytes = (rss_bytes() - before) / count as f64;
    figure(name, bytes, "B", 607.0, "limit-is-an-empty-tokio-task-and-sleep");
    bench.stop().await;
}

async fn idle() {
    for name in ["bytes", "bytes-1m"] {
        let program = std::env::current_exe().unwrap();
        assert!(std::process::Command::new(program).arg(name).status().unwrap().success());
    }
    let bench = Bench::start(1024);
    // A year's interval: whatever is used now is the price of waiting alone.
    bench.load(100_000, Duration::from_secs(365 * 86_400)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (ticks, cpu, time) = bench.measure(Duration::from_secs(10)).await;
    let note = format!("{ticks}-ticks-limit-is-the-target");
    figure("idle_cpu_cores_100k", cpu / time.as_secs_f64(), "cores", 0.01, &note);
    bench.stop().await;
}

async fn lag() {
    let bench = Bench::start(4096);
    bench.load(10_000, Duration::from_secs(1)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    *bench.noop.late_ms.lock().unwrap() = Some(Vec::new());
    let (ticks, cpu, time) = bench.measure(Duration::from_secs(8)).await;
    let mut late = bench.noop.late_ms.lock().unwrap().take().unwrap();
    late.sort_unstable();
    let [p50, p90, p99] = [50, 90, 99].map(|percent| f64::from(late[late.len() * percent / 100]));
    let rate = ticks as f64 / time.as_secs_f64();
    let cores = cpu / time.as_secs_f64();
    let note = format!("{rate:.0}-durable-ticks-per-s-cores-{cores:.2}-p50-{p50}-p90-{p90}-limit-is-a-bare-heap");
    figure("p99_lag_ms", p99, "ms", 13.0, &note);
    bench.stop().await;
}

async fn curve() {
    let mut base = 0.0;
    for (count, name) in [
        (1_000, "tick_cost_us_1k"),
        (10_000, "tick_cost_us_10k"),
        (100_000, "tick_cost_us_100k"),
        (1_000_000, "tick_cost_us_1m"),
    ] {
        let bench = Bench::start(4096);
        // The same 5,000 ticks a second, from ever more jobs.
        bench.load(count, Duration::from_millis(u64::try_from(count / 5).unwrap())).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (ticks, cpu, _) = bench.measure(Duration::from_secs(6)).await;
        let cost = cpu * 1e6 / ticks.max(1) as f64;
        if base == 0.0 {
            base = cost;
        }
        figure(name, cost, "us-of-cpu", base, &format!("{ticks}-ticks-limit-is-1000-jobs"));
        bench.stop().await;
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let all = ["small", "saturated", "lag", "idle", "startup", "curve"];
    let alone = ["bytes", "bytes-1m"].into_iter().filter(|name| wanted.iter().any(|w| w == name));
    let named = all.into_iter().filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == name));
    for name in named.chain(alone) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            match name {
                "small" => small().await,
                "saturated" => saturated().await,
                "lag" => lag().await,
                "idle" => idle().await,
                "startup" => startup().await,
                "bytes" => bytes(100_000, "bytes_per_idle_job").await,
                "bytes-1m" => bytes(1_000_000, "bytes_per_idle_job_1m").await,
                _ => curve().await,
            }
        });
    }
}
