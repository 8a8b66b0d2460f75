//! A runner that works until it is killed or stopped, for the tests that do so: forty jobs on the SQLite file `poller.db`
//! of the directory that is its one argument. Each tick appends `<job> <cursor>` to `log` there before its cursor moves.

#[path = "../benches/support/no_host.rs"]
mod no_host;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller::runner::{JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule, SystemClock};
use nexo_poller::store::{SqliteOptions, SqliteStore};

use self::no_host::NoHost;

const JOBS: usize = 40;

struct Emit {
    log: std::fs::File,
}

#[async_trait]
impl Poller for Emit {
    fn kind(&self) -> &'static str {
        "emit"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let Cursor(count) = Cursor::<u64>::from_tick(ctx).await?;
        // One line, written at once: the emission, before the cursor moves.
        (&self.log).write_all(format!("{} {count}\n", ctx.job_id).as_bytes()).transient("the log")?;
        TickAck::with_cursor(&(count + 1))
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("the directory is missing")?);
    let store = SqliteStore::open(dir.join("poller.db"), SqliteOptions::default())?;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
    let registry = PollerRegistry::new();
    let limits = KindLimits { max_concurrent_ticks: 64, tick_timeout: Duration::from_millis(200) };
    registry.register(Arc::new(Emit { log }), limits)?;
    let mut options = RunnerOptions::default();
    options.min_lease_ttl = Duration::from_millis(500);
    options.cancel_grace = Duration::from_millis(100);
    let hosts = Arc::new(Arc::new(NoHost::default()));
    let runner = PollerRunner::start(Arc::new(store), registry, hosts, options, Arc::new(SystemClock));
    let schedule = Schedule::every(Duration::from_millis(20))?;
    let jobs = (0..JOBS).map(|n| JobSpec::new(format!("job_{n}"), "emit", "ana", schedule.clone())).collect();
    runner.apply(jobs).await?;
    std::future::pending().await
}
