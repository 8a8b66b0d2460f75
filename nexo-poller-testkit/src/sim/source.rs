use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use nexo_poller::contract::{PollContext, Poller, PollerError, PollerHost, TickAck, TickIdentity};
use nexo_poller::runner::HostProvider;
use nexo_poller::store::Clock;
use serde_json::Value;
use tokio::time::Instant;

use super::clock::SimClock;
use super::ledger::Ledger;
use super::process::Process;
use super::scenario::{Met, Scenario};
use crate::host::MockPollerHost;

/// What stands for a kind of poller in a simulation: the author's own poller, or, where there is none, one that counts its
/// ticks in its cursor; either meets the scenario's trouble first.
pub(super) struct SimulatedPoller {
    pub(super) kind: &'static str,
    pub(super) poller: Option<Arc<dyn Poller>>,
    pub(super) process: Process,
    pub(super) scenario: Arc<Scenario>,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<SimClock>,
    pub(super) began: Instant,
}

impl SimulatedPoller {
    async fn work(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let Met { takes, hangs, error } = self.scenario.met_by(&ctx.job_id, self.began.elapsed());
        if hangs {
            return std::future::pending().await;
        }
        if !takes.is_zero() {
            tokio::select! {
                biased;
                () = ctx.cancel.cancelled() => return Err(PollerError::transient("it was cancelled")),
                () = tokio::time::sleep(takes) => {}
            }
        }
        match (error, &self.poller) {
            (Some(error), _) => Err(error),
            (None, Some(poller)) => self.process.warm.scope(poller.tick(ctx)).await,
            (None, None) => counted(ctx.cursor.as_deref()),
        }
    }
}

/// The cursor after `cursor`, which is a number.
pub(super) fn counted(cursor: Option<&[u8]>) -> Result<TickAck, PollerError> {
    let count: u64 = match cursor {
        None => 0,
        Some(cursor) => serde_json::from_slice(cursor)
            .map_err(|error| PollerError::permanent(format!("this is not a simulated cursor: {error}")))?,
    };
    TickAck::with_cursor(&(count + 1))
}

#[async_trait]
impl Poller for SimulatedPoller {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        self.poller.as_ref().map_or(Ok(()), |poller| poller.validate(config))
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        if self.process.is_dead() {
            return std::future::pending().await;
        }
        let now = self.clock.now();
        let _end = self.ledger.tick_begins(&self.process.owner, &ctx.job_id, ctx.cursor.as_deref(), now);
        self.process.alive(self.work(ctx)).await
    }
}

/// Gives each tick its view of the mocked host.
pub(super) struct Hosts(pub(super) MockPollerHost);

impl HostProvider for Hosts {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        self.0.for_tick(tick.clone())
    }
}

/// A kind's name for as long as the process lives, which is what a [`Poller`] wants. Each name is kept once.
pub(super) fn lasting(kind: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<HashMap<String, &'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.entry(kind.to_owned()).or_insert_with(|| Box::leak(kind.to_owned().into_boxed_str()))
}
