//! Ticks over a NATS server and durable ticks in JetStream, beside what the bare client reaches in the same run.
//!
//! ```text
//! cargo bench -p nexo-poller --bench nats --features jetstream,router                     # all
//! NEXO_BENCH=short cargo bench -p nexo-poller --bench nats --features jetstream,router    # a part of it
//! ```
//!
//! The limit of a tick is a request of the same bytes to a child that sends them back unread. Blocks of the limit and of
//! ours alternate, so that both meet the same neighbours on the machine. The limit of a durable tick is half of what
//! compare-and-set updates of as many bytes reach with 64 of them on the way: a tick has two, its claim and its outcome.
//! The server is started by the bench (`cargo xtask obtain` gets it).
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to say")]

#[path = "support/no_host.rs"]
mod no_host;

use std::io::Write as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use nexo_poller::broker::{NatsBroker, NatsOptions};
use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::prelude::*;
use nexo_poller::router::PluginPollerRouter;
use nexo_poller::runner::{JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule, Sharing};
use nexo_poller::store::{JetStreamOptions, JetStreamStore};
use nexo_poller::wire::{Event, TickRequest};
use nexo_poller_testkit::NatsServer;

use self::no_host::NoHost;

const BARE: &str = "bare.echo";

fn main() -> ExitCode {
    // The bench is its own plugin and its own bare child.
    if let Ok(url) = std::env::var("NEXO_BENCH_BARE") {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(echo(&url));
    }
    if std::env::var_os("NEXO_BROKER_URL").is_some() {
        return PollerHandler::new().with(Served).main();
    }
    let short = std::env::var("NEXO_BENCH").is_ok_and(|length| length == "short");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move { tokio::spawn(measure(if short { 1 } else { 5 })).await.unwrap() });
    ExitCode::SUCCESS
}

async fn measure(scale: usize) {
    ticks(scale).await;
    durable(scale).await;
}

fn figure(name: &str, unit: &str, value: f64, limit: f64, met: bool, target: &str) {
    let (ratio, verdict) = (value / limit, if met { "met" } else { "missed" });
    let mut out = std::io::stdout();
    writeln!(
        out,
        "figure nats.{name} value={value:.1} unit={unit} limit={limit:.1} ratio={ratio:.2} note={verdict}-target{target}"
    )
    .unwrap();
    out.flush().unwrap();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A child of this very program, killed when it is dropped.
struct OwnChild(Child);

impl OwnChild {
    fn start(variable: &str, url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(variable, url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the bare child does.
async fn echo(url: &str) -> ExitCode {
    let client = async_nats::connect(url).await.unwrap();
    let mut requests = client.queue_subscribe(BARE, "bare".to_owned()).await.unwrap();
    while let Some(request) = requests.next().await {
        client.publish(request.reply.unwrap(), request.payload).await.unwrap();
    }
    ExitCode::SUCCESS
}

async fn ticks(scale: usize) {
    let server = NatsServer::start().unwrap();
    let url = server.url();
    let _children = [OwnChild::start("NEXO_BROKER_URL", &url), OwnChild::start("NEXO_BENCH_BARE", &url)];
    let client = async_nats::connect(&url).await.unwrap();
    let broker = NatsBroker::connect(NatsOptions::new(&url).unwrap().with_name("daemon")).await.unwrap();
    let router = PluginPollerRouter::new(Arc::new(broker));
    let manifest = PollerHandler::new().with(Served).manifest().unwrap();
    let poller = Arc::clone(&router.register_remote(&manifest).unwrap()[0].poller);
    let request =
        Event::request("plugin.poller.bench.tick", "daemon", "_inbox.req.x", TickRequest::body(&context("j")));
    let bytes: bytes::Bytes = serde_json::to_vec(&request).unwrap().into();
    // Both children listen once they answer.
    while poller.tick(&context("j")).await.is_err() || client.request(BARE, bytes.clone()).await.is_err() {
        tokio::task::yield_now().await;
    }

    let bare = || async {
        let started = Instant::now();
        client.request(BARE, bytes.clone()).await.unwrap();
        started.elapsed()
    };
    let own = |job: String| {
        let poller = Arc::clone(&poller);
        async move {
            let started = Instant::now();
            poller.tick(&context(&job)).await.unwrap();
            started.elapsed()
        }
    };
    let (mut limits, mut ours) = (Vec::new(), Vec::new());
    for block in 0..=scale {
        let (mut limit, mut our) = (Vec::new(), Vec::new());
        for _ in 0..1000 {
            limit.push(bare().await.as_secs_f64() * 1e6);
        }
        for _ in 0..1000 {
            our.push(own("j".to_owned()).await.as_secs_f64() * 1e6);
        }
        if block > 0 {
            limits.push(median(limit));
            ours.push(median(our));
        }
    }
    let (value, limit) = (median(ours), median(limits));
    figure("tick_p50_us", "us", value, limit, value <= 1.4 * limit, "<=1.4");

    for in_flight in [64, 1000] {
        let (mut limits, mut ours) = (Vec::new(), Vec::new());
        for block in 0..=scale {
            let (limit_client, limit_bytes) = (client.clone(), bytes.clone());
            let limit = many(in_flight, 40_000, move |_| {
                let (client, bytes) = (limit_client.clone(), limit_bytes.clone());
                async move { drop(client.request(BARE, bytes).await.unwrap()) }
            });
            let limit = limit.await;
            let ticked = Arc::clone(&poller);
            let our = many(in_flight, 20_000, move |job| {
                let poller = Arc::clone(&ticked);
                async move { drop(poller.tick(&context(&format!("job_{job}"))).await.unwrap()) }
            });
            let our = our.await;
            if block > 0 {
                limits.push(limit);
                ours.push(our);
            }
        }
        let (value, limit) = (median(ours), median(limits));
        figure(&format!("tick_{in_flight}_per_s"), "1/s", value, limit, value >= 0.5 * limit, ">=0.5");
    }
}

/// How many a second, of `count` with `in_flight` at once.
async fn many<F>(in_flight: usize, count: usize, work: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send,
{
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..in_flight {
        let work = work.clone();
        tasks.spawn(async move {
            for _ in 0..count / in_flight {
                work(number).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    (count / in_flight * in_flight) as f64 / started.elapsed().as_secs_f64()
}

async fn durable(scale: usize) {
    let limit = kv_updates().await / 2.0;
    let mut alone = 0.0;
    for daemons in 1..=3 {
        let rate = durable_ticks(daemons, Duration::from_secs(2 + scale as u64)).await;
        if daemons == 1 {
            alone = rate;
            figure("jetstream_ticks_per_s", "1/s", rate, limit, rate >= 0.7 * limit, ">=0.7");
        } else {
            // On one machine more daemons have no more processors; what they cost shows.
            figure(
                &format!("daemons_{daemons}_ticks_per_s"),
                "1/s",
                rate,
                alone,
                rate >= 0.5 * alone,
                "-of-one-daemon>=0.5",
            );
        }
    }
}

/// Compare-and-set updates a second, 64 on the way, each as large as a job's entry.
async fn kv_updates() -> f64 {
    let server = NatsServer::start().unwrap();
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let config = async_nats::jetstream::kv::Config { bucket: "limit".to_owned(), history: 1, ..Default::default() };
    let bucket = context.create_key_value(config).await.unwrap();
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let each = 1000;
    for task in 0..64 {
        let bucket = bucket.clone();
        tasks.spawn(async move {
            let key = format!("job_{task}");
            let mut revision = bucket.create(&key, vec![b'x'; 330].into()).await.unwrap();
            for _ in 0..each {
                revision = bucket.update(&key, vec![b'x'; 330].into(), revision).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    f64::from(64 * each) / started.elapsed().as_secs_f64()
}

/// Durable ticks a second of `count` daemons that share 10,000 jobs, all of them due all the time.
async fn durable_ticks(count: usize, time: Duration) -> f64 {
    let server = NatsServer::start().unwrap();
    let ticks = Arc::new(AtomicU64::new(0));
    let names: Vec<String> = (0..count).map(|number| format!("daemon_{number}")).collect();
    let schedule = Schedule::every(Duration::from_millis(20)).unwrap();
    let jobs = (0..10_000)
        .map(|n| JobSpec::new(format!("job_{n:07}"), "noop", "ana", schedule.clone()).with_config(json!({"a": 1})));
    let jobs: Vec<JobSpec> = jobs.collect();
    let mut runners = Vec::new();
    for name in &names {
        let client = async_nats::connect(server.url()).await.unwrap();
        let store = JetStreamStore::open(client, JetStreamOptions::default().with_history(1)).await.unwrap();
        let registry = PollerRegistry::new();
        let limits = KindLimits::new(usize::MAX, Duration::from_secs(60));
        registry.register(Arc::new(Noop(Arc::clone(&ticks))), limits).unwrap();
        let sharing = Arc::new(Sharing::new(name, Duration::from_secs(30)));
        sharing.set_others(names.iter().cloned());
        let mut options = RunnerOptions::default();
        (options.owner, options.sharing, options.max_in_flight) = (name.clone(), Some(sharing), 4096);
        let runner = PollerRunner::builder(store, registry, Arc::new(NoHost::default())).options(options).start();
        runner.apply(jobs.clone()).await.unwrap();
        runners.push(runner);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, started) = (ticks.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time).await;
    let rate = (ticks.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
    for runner in runners {
        runner.shutdown(Duration::from_secs(10)).await;
    }
    rate
}

fn context(job: &str) -> PollContext {
    let mut context = PollContext::new("bench", job, "ana", Arc::new(NoHost::default()));
    context.config = json!({"project": "NEXO"});
    context.cursor = Some(br#"{"updated_after":"2026-05-17T10:00:00Z"}"#.to_vec());
    context.interval_hint = Duration::from_secs(300);
    context
}

/// The plugin's poller: it does nothing, so that only the way to it is measured.
struct Served;

#[async_trait]
impl Poller for Served {
    fn kind(&self) -> &'static str {
        "bench"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        Ok(TickAck { next_cursor: ctx.cursor.clone(), ..TickAck::new() }.items(5, 2))
    }
}

impl DeclaredPoller for Served {
    const DECLARATION: Declaration = Declaration::new("bench", Package::new("bench", "0.1.0"))
        .description("Answers at once.")
        .max_concurrent_ticks(64);
}

/// Counts its ticks in memory and in the cursor.
struct Noop(Arc<AtomicU64>);

#[async_trait]
impl Poller for Noop {
    fn kind(&self) -> &'static str {
        "noop"
    }

    async fn tick(&self, _: &PollContext) -> Result<TickAck, PollerError> {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(TickAck { next_cursor: Some(count.to_be_bytes().to_vec()), ..TickAck::new() })
    }
}
