use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::Semaphore;

use crate::broker::LocalBroker;
use crate::manifest::{Declaration, DeclaredPoller, Package};
use crate::plugin::ticks::identity_of;
use crate::plugin::{BrokerPollerHost, HostTimeouts, PollerHandler};
use crate::prelude::*;
use crate::wire::TickOrder;

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A poller whose ticks wait until the test lets them go on; `{"do": …}` says what then.
#[derive(Clone)]
pub(super) struct Probe {
    pub(super) go: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    pub(super) most: Arc<AtomicUsize>,
    pub(super) ended: Arc<AtomicUsize>,
}

impl Probe {
    pub(super) fn new() -> Self {
        let zero = || Arc::new(AtomicUsize::new(0));
        Self { go: Arc::new(Semaphore::new(0)), running: zero(), most: zero(), ended: zero() }
    }

    /// A probe whose ticks do not wait.
    pub(super) fn ready() -> Self {
        let probe = Self::new();
        probe.go.add_permits(1000);
        probe
    }

    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(super) fn handler(&self) -> PollerHandler {
        PollerHandler::new().with(self.clone()).with(Other)
    }
}

impl DeclaredPoller for Probe {
    const DECLARATION: Declaration = declaration("probe");
}

/// Counts a tick as running until its future is gone, however it goes.
struct Running(Probe);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Poller for Probe {
    fn kind(&self) -> &'static str {
        "probe"
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        match config["do"].as_str() {
            Some("bad") => Err(PollerError::config("config: `do` must not be bad")),
            Some("panic in validate") => panic!("hunter2"),
            _ => Ok(()),
        }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let _running = Running(self.clone());
        match ctx.config["do"].as_str() {
            Some("panic") => panic!("hunter2"),
            Some("heed") => {
                ctx.cancel.cancelled().await;
                return Ok(TickAck::new().items(1, 1));
            }
            Some("ignore") => std::future::pending().await,
            Some("leave a task behind") => {
                let ctx = ctx.clone();
                tokio::spawn(async move {
                    ctx.cancel.cancelled().await;
                    ctx.publish("plugin.outbound.late", &json!({})).await
                });
            }
            Some("publish off the list") => ctx.publish("plugin.inbound.x", &json!({})).await?,
            Some("publish") => ctx.publish("plugin.outbound.console.a", &json!({"text": "x"})).await?,
            Some("credentials") => {
                let account = ctx.host.credentials_get("google".into()).await?;
                return TickAck::with_cursor(&account["account_id"]);
            }
            _ => {
                let turn = self.go.acquire().await.permanent("the test is over")?;
                turn.forget();
            }
        }
        TickAck::with_cursor(&ctx.job_id)
    }
}

/// A second kind of the same plugin.
#[derive(Clone)]
pub(super) struct Other;

impl DeclaredPoller for Other {
    const DECLARATION: Declaration = declaration("other");
}

#[async_trait]
impl Poller for Other {
    fn kind(&self) -> &'static str {
        "other"
    }

    async fn tick(&self, _: &PollContext) -> Result<TickAck, PollerError> {
        TickAck::with_cursor("other")
    }
}

const fn declaration(kind: &'static str) -> Declaration {
    Declaration::new(kind, Package::new("probe", "0.1.0"))
        .publish(&["plugin.outbound.>"])
        .max_concurrent_ticks(2)
        .tick_timeout_secs(TIMEOUT.as_secs() as u32)
        .plugin_id("probe")
}

pub(super) fn order(job_id: &str, config: Value) -> TickOrder {
    TickOrder {
        kind: "probe".into(),
        job_id: job_id.into(),
        agent_id: "ana".into(),
        cursor: Some(b"7".to_vec()),
        config,
        now: Utc::now(),
        interval_hint: Duration::from_secs(60),
    }
}

/// The host of a tick on `broker`.
pub(super) fn host(broker: &LocalBroker, order: &TickOrder) -> Arc<BrokerPollerHost> {
    let (broker, timeouts) = (Arc::new(broker.clone()), HostTimeouts::default());
    Arc::new(BrokerPollerHost::new(broker, "probe".into(), timeouts, identity_of(order)))
}
