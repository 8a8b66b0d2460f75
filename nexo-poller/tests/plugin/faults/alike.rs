//! The same misbehaving poller in the daemon and in a plugin: the runner hears the same of it, and the same goes out.

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::broker::{Broker as _, LocalBroker, Subscription};
use nexo_poller::contract::TickIdentity;
use nexo_poller::host::{HostServices, InProcessHost, StaticCredentials};
use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::plugin::{TickGrace, TickServer};
use nexo_poller::prelude::*;
use nexo_poller::router::PluginPollerRouter;
use nexo_poller::runner::{
    Clock, HostProvider, JobSpec, KindLimits, PollerRegistry, PollerRunner, RunnerOptions, Schedule, UnixMs,
    VirtualClock,
};
use nexo_poller::store::MemoryStore;

/// Misbehaves as its config says.
struct Misbehaves;

const TIMEOUT_SECS: u32 = 2;

impl DeclaredPoller for Misbehaves {
    const DECLARATION: Declaration = Declaration::new("misbehaves", Package::new("misbehaves", "0.1.0"))
        .publish(&["plugin.outbound.>"])
        .tick_timeout_secs(TIMEOUT_SECS);
}

#[async_trait]
impl Poller for Misbehaves {
    fn kind(&self) -> &'static str {
        "misbehaves"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        ctx.publish("plugin.outbound.console.a", &json!({"text": "first"})).await?;
        match ctx.config["how"].as_str().unwrap() {
            "panics with a secret" => panic!("the password is hunter2"),
            "panics with a secret after a while" => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                panic!("the password is {}", ctx.config["how"]);
            }
            "publishes when it is over" => {
                let ctx = ctx.clone();
                tokio::spawn(async move {
                    ctx.cancel.cancelled().await;
                    ctx.publish("plugin.outbound.console.late", &json!({})).await
                });
            }
            "publishes off its list" => ctx.publish("plugin.inbound.console", &json!({})).await?,
            "publishes off its list and goes on" => {
                ctx.publish("daemon.rpc.other", &json!({})).await.unwrap_err();
                ctx.publish("plugin.outbound.console.a", &json!({"text": "first"})).await?;
            }
            "heeds its cancel" => {
                ctx.cancel.cancelled().await;
                ctx.publish("plugin.outbound.console.b", &json!({"text": "what it has"})).await?;
            }
            "fails once it is cancelled" => {
                ctx.cancel.cancelled().await;
                return Err(PollerError::permanent("it was in the middle of something"));
            }
            "ignores its cancel" => {
                ctx.cancel.cancelled().await;
                tokio::time::sleep(Duration::from_secs(60)).await;
                ctx.publish("plugin.outbound.console.late", &json!({})).await?;
            }
            "hangs, and leaves a task behind" => {
                let ctx = ctx.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    ctx.publish("plugin.outbound.console.late", &json!({})).await
                });
                std::future::pending::<()>().await;
            }
            "transient" => return Err(PollerError::transient("no answer")),
            "permanent" => return Err(PollerError::permanent("the project is gone")),
            "config" => return Err(PollerError::config("`project` is missing")),
            "without credentials" => {
                ctx.credentials::<Value>("slack").await?;
            }
            how => panic!("{how}: no such way"),
        }
        TickAck::with_cursor(&1)
    }
}

/// How the runner says that the tick ended: its words come after, because where the code ran stands in them.
#[derive(Debug, PartialEq)]
struct Ended {
    outcome: String,
    cursor_bytes: usize,
    phase: String,
    /// Topic, payload and id of what went out.
    published: Vec<(String, Value, String)>,
}

struct Hosts(HostServices);

impl HostProvider for Hosts {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        Arc::new(InProcessHost::new(self.0.clone(), tick.clone()))
    }
}

/// One run of one job under a runner of its own, and everything that went out within ten minutes.
async fn run(how: &str, broker: &LocalBroker, registry: PollerRegistry) -> (Ended, Option<String>) {
    let mut heard = Vec::new();
    for pattern in ["plugin.outbound.>", "plugin.inbound.>", "daemon.rpc.other"] {
        heard.push(broker.subscribe(pattern, None).await.unwrap());
    }
    let services = HostServices::new(Arc::new(broker.clone()), Arc::new(StaticCredentials::new()));
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::at(UnixMs(1_779_012_000_000)));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock)));
    let hosts = Hosts(services);
    // One seed for both: a backoff is a random time, which may be over when the job is shown.
    let mut options = RunnerOptions::default();
    options.seed = 7;
    let runner = PollerRunner::builder(store, registry, hosts).clock(clock).options(options).start();
    let mut job = JobSpec::new("job", "misbehaves", "ana", Schedule::every(Duration::from_secs(86_400)).unwrap());
    job.config = json!({"how": how});
    runner.apply(vec![job]).await.unwrap();
    let report = runner.run_now("job").await.unwrap();
    let status = runner.show("job").await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let mut published = Vec::new();
    for listener in &mut heard {
        published.extend(sent(listener).await);
    }
    runner.shutdown(Duration::from_secs(1)).await;
    let ended = Ended {
        outcome: report.outcome.as_str().to_owned(),
        cursor_bytes: status.cursor_bytes,
        phase: format!("{:?}", status.phase),
        published,
    };
    (ended, report.error)
}

async fn sent(listener: &mut Subscription) -> Vec<(String, Value, String)> {
    let mut sent = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::ZERO, listener.next()).await {
        let event = &delivery.event;
        sent.push((event.topic.clone(), event.payload.clone(), event.id.clone()));
    }
    sent
}

fn limits() -> KindLimits {
    KindLimits::new(1, Duration::from_secs(TIMEOUT_SECS.into()))
}

async fn in_the_daemon(how: &str) -> (Ended, Option<String>) {
    let (broker, registry) = (LocalBroker::new(), PollerRegistry::new());
    // The manifest's list, so that what a refusal says is the same as well.
    let publish = PollerHandler::new().with(Misbehaves).manifest().unwrap().plugin.capabilities.broker.publish;
    registry.register_publishing(Arc::new(Misbehaves), limits(), publish).unwrap();
    run(how, &broker, registry).await
}

async fn in_a_plugin(how: &str) -> (Ended, Option<String>) {
    let (broker, registry) = (LocalBroker::new(), PollerRegistry::new());
    let handler = PollerHandler::new().with(Misbehaves);
    let manifest = handler.manifest().unwrap();
    let ticks = Arc::new(handler.ticks(tokio::runtime::Handle::current(), TickGrace::default()));
    let server = TickServer::new(Arc::new(broker.clone()), ticks, &manifest);
    tokio::spawn(async move { server.serve(std::future::pending()).await });
    let router = PluginPollerRouter::new(Arc::new(broker.clone()));
    let kinds = router.register_remote(&manifest).unwrap();
    let calls = nexo_poller::router::serve_calls(Arc::new(broker.clone()), router.in_flight(), "misbehaves".to_owned());
    tokio::spawn(calls);
    while !broker.has_listeners("plugin.poller.misbehaves.tick") || !broker.has_listeners("daemon.rpc.misbehaves") {
        tokio::task::yield_now().await;
    }
    registry.register(Arc::clone(&kinds[0].poller), limits()).unwrap();
    run(how, &broker, registry).await
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_misbehaves_is_handled_alike_in_the_daemon_and_in_a_plugin() {
    for (how, outcome, messages, says) in [
        ("panics with a secret", "transient", 1, "panicked at nexo-poller/tests/plugin/faults/alike.rs:"),
        ("panics with a secret after a while", "transient", 1, "panicked at nexo-poller/tests/plugin/faults/alike.rs:"),
        ("publishes when it is over", "ok", 1, ""),
        ("publishes off its list", "permanent", 1, "publishing on `plugin.inbound.console` is not allowed"),
        ("publishes off its list and goes on", "ok", 2, ""),
        ("heeds its cancel", "ok", 2, ""),
        ("fails once it is cancelled", "transient", 1, "did not end within its 2 s: it was in the middle of something"),
        ("ignores its cancel", "transient", 1, "ignored its cancel token"),
        ("hangs, and leaves a task behind", "transient", 1, "ignored its cancel token"),
        ("transient", "transient", 1, "no answer"),
        ("permanent", "permanent", 1, "the project is gone"),
        ("config", "config", 1, "`project` is missing"),
        ("without credentials", "permanent", 1, "no credentials for channel `slack`"),
    ] {
        let (daemons, plugins) = (in_the_daemon(how).await, in_a_plugin(how).await);
        assert_eq!(daemons.0, plugins.0, "{how}: in the daemon, and in a plugin");
        assert_eq!((&*daemons.0.outcome, daemons.0.published.len()), (outcome, messages), "{how}: {daemons:?}");
        for (ended, error) in [daemons, plugins] {
            let error = error.unwrap_or_default();
            assert!(error.contains(says) && error.is_empty() == says.is_empty(), "{how}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("password"), "{how}: {error}");
            assert!(ended.published.iter().all(|(topic, ..)| !topic.ends_with("late")), "{how}: {ended:?}");
        }
    }
}
