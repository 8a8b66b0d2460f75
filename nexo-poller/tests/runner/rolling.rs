//! Two daemons are restarted in turn, again and again, while their jobs run in one plugin. Whether a job ran twice at once is judged
//! by the plugin, which is the only one who knows. `NEXO_TEST_RESTARTS=300` asks for more restarts.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexo_poller::broker::{Broker, LocalBroker};
use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::plugin::{PollerHandler, TickGrace, TickServer};
use nexo_poller::prelude::*;
use nexo_poller::router::PluginPollerRouter;
use nexo_poller::runner::{JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule};
use nexo_poller::store::{MemoryStore, UnixMs, VirtualClock};
use nexo_poller::wire::TickReply;

use crate::no_host::NoHost;

const JOBS: u32 = 8;
const TICK_TIMEOUT_SECS: u32 = 40;
/// What the daemon gives running ticks when it is told to end.
const GRACE: Duration = Duration::from_secs(5);
/// Within this the daemon is gone, whatever its ticks do.
const ENDED: Duration = Duration::from_secs(8);

/// What the plugin sees.
#[derive(Default)]
struct Seen {
    running: BTreeMap<String, usize>,
    begun: u64,
    overlaps: u64,
    cancelled: u64,
}

/// A tick of the plugin, from its begin to its end.
struct Inside {
    seen: Arc<Mutex<Seen>>,
    job: String,
}

impl Inside {
    fn enter(seen: &Arc<Mutex<Seen>>, job: &str) -> Self {
        let mut known = seen.lock().unwrap();
        let running = known.running.entry(job.to_owned()).or_default();
        *running += 1;
        let overlaps = u64::from(*running > 1);
        known.overlaps += overlaps;
        known.begun += 1;
        Self { seen: Arc::clone(seen), job: job.to_owned() }
    }

    /// Between nothing and 35 s, as the tick's number says.
    fn work(&self) -> Duration {
        Duration::from_millis(self.seen.lock().unwrap().begun.wrapping_mul(7_919) % 35_000)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        *self.seen.lock().unwrap().running.get_mut(&self.job).unwrap() -= 1;
    }
}

/// A poller of today's.
struct Long(Arc<Mutex<Seen>>);

impl DeclaredPoller for Long {
    const DECLARATION: Declaration = Declaration::new("long", Package::new("long", "0.1.0"))
        .max_concurrent_ticks(JOBS)
        .tick_timeout_secs(TICK_TIMEOUT_SECS);
}

#[async_trait]
impl Poller for Long {
    fn kind(&self) -> &'static str {
        "long"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let inside = Inside::enter(&self.0, &ctx.job_id);
        tokio::select! {
            () = tokio::time::sleep(inside.work()) => TickAck::with_cursor(&1),
            () = ctx.cancel.cancelled() => {
                self.0.lock().unwrap().cancelled += 1;
                Err(PollerError::transient("it was cancelled"))
            }
        }
    }
}

/// A plugin that was published before there was a word for it: it hears ticks, and nothing else.
async fn published(broker: LocalBroker, seen: Arc<Mutex<Seen>>) {
    let mut orders = broker.subscribe("plugin.poller.long.tick", None).await.unwrap();
    while let Some(delivery) = orders.next().await {
        let (broker, seen) = (broker.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let (body, reply_to) = delivery.request();
            let inside = Inside::enter(&seen, body["params"]["job_id"].as_str().unwrap());
            tokio::time::sleep(inside.work()).await;
            drop(inside);
            let answer = TickReply::body(&TickAck::with_cursor(&1), true);
            broker.respond(&reply_to.unwrap(), "long", answer).await.unwrap();
        });
    }
}

/// A daemon's runner, for which the plugin runs elsewhere.
async fn daemon(broker: &LocalBroker, store: &MemoryStore, clock: &Arc<VirtualClock>, seed: u64) -> PollerRunner {
    let handler = PollerHandler::new().with(Long(Arc::default()));
    let router = PluginPollerRouter::new(Arc::new(broker.clone()));
    let kinds = router.register_remote(&handler.manifest().unwrap()).unwrap();
    let registry = PollerRegistry::new();
    let limits = KindLimits::new(JOBS as usize, Duration::from_secs(TICK_TIMEOUT_SECS.into())).elsewhere();
    registry.register(Arc::clone(&kinds[0].poller), limits).unwrap();
    let mut options = RunnerOptions::default();
    options.seed = seed;
    let builder = PollerRunner::builder(store.clone(), registry, Arc::new(NoHost { stalls: None }));
    let runner = builder.options(options).clock(Arc::clone(clock)).start();
    let every = Schedule::every(Duration::from_secs(5)).unwrap();
    let jobs = (0..JOBS).map(|n| JobSpec::new(format!("job_{n}"), "long", "ana", every.clone())).collect();
    runner.apply(jobs).await.unwrap();
    runner
}

/// Restarts them, and judges by what the plugin has seen; the figure.
async fn restarts(broker: LocalBroker, seen: Arc<Mutex<Seen>>, what: &str) -> String {
    let restarts = std::env::var("NEXO_TEST_RESTARTS").map_or(40, |count| count.parse().unwrap());
    let clock = Arc::new(VirtualClock::at(UnixMs(1_779_012_000_000)));
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let mut daemons = [daemon(&broker, &store, &clock, 1).await, daemon(&broker, &store, &clock, 2).await];
    for restart in 0..restarts {
        tokio::time::sleep(Duration::from_millis(3_000 + restart * 1_733 % 20_000)).await;
        let at = usize::try_from(restart % 2).unwrap();
        let asked = tokio::time::Instant::now();
        daemons[at].shutdown(GRACE).await;
        assert!(asked.elapsed() <= ENDED, "it has ended after {:?}", asked.elapsed());
        daemons[at] = daemon(&broker, &store, &clock, restart + 3).await;
    }
    let before = seen.lock().unwrap().begun;
    // No lease that was left behind stops a job for longer than it lasts.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.overlaps, 0, "overlaps seen by the plugin in {restarts} restarts");
    assert!(seen.begun >= before + u64::from(JOBS), "every job goes on");
    let (overlaps, ticks, cancelled) = (seen.overlaps, seen.begun, seen.cancelled);
    format!(
        "figure runner.overlaps_{what} value={overlaps} unit=overlaps limit=0 ratio=0 \
         note=seen-by-the-plugin-in-{restarts}-restarts-{ticks}-ticks-{cancelled}-cancelled"
    )
}

#[tokio::test(start_paused = true)]
async fn a_plugin_sees_no_job_twice_at_once_in_rolling_restarts() {
    let (broker, seen) = (LocalBroker::new(), Arc::<Mutex<Seen>>::default());
    let handler = PollerHandler::new().with(Long(Arc::clone(&seen)));
    let manifest = handler.manifest().unwrap();
    let ticks = Arc::new(handler.ticks(tokio::runtime::Handle::current(), TickGrace::default()));
    let server = TickServer::new(Arc::new(broker.clone()), ticks, &manifest);
    tokio::spawn(async move { server.serve(std::future::pending()).await });
    while !broker.has_listeners("plugin.poller.long.tick") {
        tokio::task::yield_now().await;
    }
    println!("{}", restarts(broker, Arc::clone(&seen), "rolling").await);
    assert!(seen.lock().unwrap().cancelled > 0, "the plugin was told");
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_know_the_word_cancel_sees_no_job_twice_at_once_either() {
    let (broker, seen) = (LocalBroker::new(), Arc::<Mutex<Seen>>::default());
    tokio::spawn(published(broker.clone(), Arc::clone(&seen)));
    while !broker.has_listeners("plugin.poller.long.tick") {
        tokio::task::yield_now().await;
    }
    println!("{}", restarts(broker, seen, "rolling_published").await);
}
