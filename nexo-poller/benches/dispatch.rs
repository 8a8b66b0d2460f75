//! One tick through a real child process, beside what bare pipes on the same machine allow in the same run.
//!
//! ```text
//! cargo bench -p nexo-poller --bench dispatch --features router                     # all
//! NEXO_BENCH=short cargo bench -p nexo-poller --bench dispatch --features router    # a tenth of it
//! ```
//!
//! The limit is a child that echoes lines of the very bytes that a tick request has, parsed as JSON at both ends, the
//! child reading its stdin on a blocking thread and writing once for everything that one read has brought. Blocks of the
//! limit and of ours alternate, so that both meet the same neighbours on the machine.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to say")]

#[path = "support/no_host.rs"]
mod no_host;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nexo_poller::broker::LocalBroker;
use nexo_poller::manifest::{Declaration, DeclaredPoller, Lifecycle, Manifest, Package};
use nexo_poller::prelude::*;
use nexo_poller::router::{PluginBinary, PluginPollerRouter, Supervisor, SupervisorOptions};
use nexo_poller::unstable::LineFramer;
use nexo_poller::wire::{Event, TickRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use self::no_host::NoHost;

const IN_FLIGHT: usize = 64;

fn main() -> ExitCode {
    // The bench is its own plugin and its own bare child.
    match std::env::var("NEXO_POLLER_PLUGIN_ID").as_deref() {
        Ok("bench") => return PollerHandler::new().with(Served::<false>).main(),
        Ok("bench_once") => return PollerHandler::new().with(Served::<true>).main(),
        _ => {}
    }

    if std::env::args().any(|arg| arg == "--bare") {
        echo();
        return ExitCode::SUCCESS;
    }
    let scale = if std::env::var("NEXO_BENCH").is_ok_and(|length| length == "short") { 1 } else { 10 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // On a worker, as in a daemon: the thread of `block_on` would add a wake-up to both sides.
    runtime.block_on(async move { tokio::spawn(measure(scale)).await.unwrap() });
    ExitCode::SUCCESS
}

async fn measure(scale: usize) {
    let broker = Arc::new(LocalBroker::new());
    let router = PluginPollerRouter::new(broker);
    let plugin = own_binary::<false>();
    let poller = Arc::clone(&router.register(&plugin).unwrap()[0].poller);
    let supervisor = Supervisor::start(plugin, &router, SupervisorOptions::default());
    supervisor.settled().await;
    let line = request_line(&context("bench", "job_0"));
    let mut bare = Bare::start();

    let (mut limits, mut ours) = (Vec::new(), Vec::new());
    // One block of each first, unmeasured.
    for block in 0..=scale {
        let limit = bare.one_at_a_time(&line, 1000).await;
        let our = one_at_a_time(poller.as_ref(), 1000).await;
        if block > 0 {
            limits.push(limit);
            ours.push(our);
        }
    }
    let (value, limit) = (median(ours), median(limits));
    figure("dispatch.stdio_p50_us", "us", value, limit, value <= 2.5 * limit, "<=2.5");

    let (mut limits, mut ours) = (Vec::new(), Vec::new());
    for block in 0..=scale {
        let limit = bare.many_at_a_time(&line, 40_000).await;
        let our = many_at_a_time(&poller, 10_000).await;
        if block > 0 {
            limits.push(limit);
            ours.push(our);
        }
    }
    let (value, limit) = (median(ours), median(limits));
    figure("dispatch.stdio_64_per_s", "1/s", value, limit, value >= 0.3 * limit, ">=0.3");
    supervisor.shutdown(Duration::from_secs(5)).await;

    let poller = Arc::clone(&router.register(&own_binary::<true>()).unwrap()[0].poller);
    let (mut limits, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..20 * scale {
        let started = Instant::now();
        Bare::start().one_at_a_time(&line, 1).await;
        limits.push(started.elapsed().as_secs_f64() * 1e3);
        ours.push(one_at_a_time(poller.as_ref(), 1).await / 1e3);
    }
    let (value, limit) = (median(ours), median(limits));
    figure("dispatch.ephemeral_p50_ms", "ms", value, limit, value <= 2.0 * limit, "<=2.0");
}

fn figure(name: &str, unit: &str, value: f64, limit: f64, met: bool, target: &str) {
    let (ratio, verdict) = (value / limit, if met { "met" } else { "missed" });
    let mut out = std::io::stdout();
    writeln!(
        out,
        "figure {name} value={value:.1} unit={unit} limit={limit:.1} ratio={ratio:.2} note={verdict}-target{target}"
    )
    .unwrap();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of `count` ticks, in microseconds.
async fn one_at_a_time(poller: &dyn Poller, count: usize) -> f64 {
    let ctx = context(poller.kind(), "job_0");
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let ack = poller.tick(&ctx).await.unwrap();
        times.push(started.elapsed().as_secs_f64() * 1e6);
        assert!(ack.next_cursor.is_some());
    }
    median(times)
}

/// Ticks a second, of `count` with 64 in flight.
async fn many_at_a_time(poller: &Arc<dyn Poller>, count: usize) -> f64 {
    let started = Instant::now();
    let mut jobs = tokio::task::JoinSet::new();
    for job in 0..IN_FLIGHT {
        let poller = Arc::clone(poller);
        jobs.spawn(async move {
            let ctx = context(poller.kind(), &format!("job_{job}"));
            for _ in 0..count / IN_FLIGHT {
                poller.tick(&ctx).await.unwrap();
            }
        });
    }
    while let Some(done) = jobs.join_next().await {
        done.unwrap();
    }
    (count / IN_FLIGHT * IN_FLIGHT) as f64 / started.elapsed().as_secs_f64()
}

/// A child that echoes.
struct Bare {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    framer: LineFramer,
    chunk: Vec<u8>,
}

impl Bare {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--bare").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { _child: child, stdin, stdout, framer: LineFramer::default(), chunk: vec![0; 64 * 1024] }
    }

    /// The median of `count` round trips, in microseconds.
    async fn one_at_a_time(&mut self, line: &[u8], count: usize) -> f64 {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            self.stdin.write_all(line).await.unwrap();
            while self.read().await == 0 {}
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
        median(times)
    }

    /// Round trips a second, of `count` with 64 in flight.
    async fn many_at_a_time(&mut self, line: &[u8], count: usize) -> f64 {
        let started = Instant::now();
        let (mut sent, mut answered) = (IN_FLIGHT, 0);
        self.stdin.write_all(&line.repeat(IN_FLIGHT)).await.unwrap();
        while answered < count {
            let answers = self.read().await;
            answered += answers;
            let next = answers.min(count - sent);
            sent += next;
            self.stdin.write_all(&line.repeat(next)).await.unwrap();
        }
        count as f64 / started.elapsed().as_secs_f64()
    }

    /// Reads once; the number of answers.
    async fn read(&mut self) -> usize {
        let length = self.stdout.read(&mut self.chunk).await.unwrap();
        assert!(length > 0, "the bare child has ended");
        self.framer.push(&self.chunk[..length]);
        let mut answers = 0;
        while let Some(line) = self.framer.next_line() {
            let value: Value = serde_json::from_str(line.unwrap()).unwrap();
            assert!(std::hint::black_box(value).is_object());
            answers += 1;
        }
        answers
    }
}

/// What the bare child does.
fn echo() {
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut framer = LineFramer::default();
    let (mut chunk, mut answers) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let length = stdin.read(&mut chunk).unwrap();
        if length == 0 {
            return;
        }
        framer.push(&chunk[..length]);
        while let Some(line) = framer.next_line() {
            let line = line.unwrap();
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(std::hint::black_box(value).is_object());
            answers.extend_from_slice(line.as_bytes());
            answers.push(b'\n');
        }
        stdout.write_all(&answers).unwrap();
        stdout.flush().unwrap();
        answers.clear();
    }
}

/// The line that asks for a tick, as the bridge writes it.
fn request_line(ctx: &PollContext) -> Vec<u8> {
    let topic = "plugin.poller.bench.tick";
    let event = Event::request(topic, "daemon", &format!("_inbox.req.{}", uuid::Uuid::nil()), TickRequest::body(ctx));
    let params = json!({"topic": topic, "event": event});
    let mut line = serde_json::to_vec(&json!({"jsonrpc": "2.0", "method": "broker.event", "params": params})).unwrap();
    line.push(b'\n');
    line
}

fn context(kind: &'static str, job_id: &str) -> PollContext {
    let mut context = PollContext::new(kind, job_id, "ana", Arc::new(NoHost::default()));
    context.config = json!({"project": "NEXO"});
    context.cursor = Some(br#"{"updated_after":"2026-05-17T10:00:00Z"}"#.to_vec());
    context.interval_hint = Duration::from_secs(300);
    context
}

/// The plugin's poller: it does nothing, so that only the way to it is measured.
struct Served<const ONCE: bool>;

#[async_trait]
impl<const ONCE: bool> Poller for Served<ONCE> {
    fn kind(&self) -> &'static str {
        if ONCE { "bench_once" } else { "bench" }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        Ok(TickAck { next_cursor: ctx.cursor.clone(), ..TickAck::new() }.items(5, 2))
    }
}

impl<const ONCE: bool> DeclaredPoller for Served<ONCE> {
    const DECLARATION: Declaration =
        Declaration::new(if ONCE { "bench_once" } else { "bench" }, Package::new("bench", "0.1.0"))
            .description("Answers at once.")
            .lifecycle(if ONCE { Lifecycle::Ephemeral } else { Lifecycle::LongLived })
            .max_concurrent_ticks(IN_FLIGHT as u32);
}

fn own_binary<const ONCE: bool>() -> PluginBinary {
    let manifest: Manifest = PollerHandler::new().with(Served::<ONCE>).manifest().unwrap();
    let program: PathBuf = std::env::current_exe().unwrap();
    PluginBinary::new(manifest, program)
}
