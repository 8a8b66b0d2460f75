use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nexo_poller::broker::{Broker, BrokerError, LocalBroker, Subscription};
use nexo_poller::contract::{ErrorClass, Poller, TickIdentity};
use nexo_poller::host::{HostServices, InProcessHost};
use nexo_poller::router::{PluginPollerRouter, PollerRouteRegistrationError, Supervisor, SupervisorOptions};
use nexo_poller::runner::{Clock, JobSpec, SystemClock};
use nexo_poller::store::{JobState, RunOutcome};
use nexo_poller::unstable::{AuthorTick, PublishList, TickGate, watch};
use nexo_poller::wire::{Event, topics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::cursor_view::CursorView;
use crate::plugins::dry_runner::{DryRunner, NoDryRunner};

/// A process of its own that was started for a dry run may take this long to come up, and to end.
const PLUGIN_GRACE: Duration = Duration::from_secs(5);

/// What a tick would have done.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DryRun {
    /// How it ended.
    pub(crate) outcome: RunOutcome,
    /// The message, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What it would have published, in its order.
    pub(crate) published: Vec<Published>,
    pub(crate) items_seen: u32,
    pub(crate) items_dispatched: u32,
    /// Where it started.
    pub(crate) cursor: Option<CursorView>,
    /// Where the next tick would have resumed; absent where that is the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<CursorView>,
    pub(crate) took_ms: u64,
}

/// A message that was kept back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Published {
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) payload: Value,
}

/// Why no tick could be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DryRunError {
    #[error(transparent)]
    Nobody(#[from] NoDryRunner),
    #[error(transparent)]
    Plugin(#[from] PollerRouteRegistrationError),
    #[error("its plugin offers the kind `{kind}` no more")]
    KindIsGone { kind: String },
}

/// Runs one tick of `spec` from its stored cursor. Nothing is published, counted or stored; credentials and language models
/// answer as always.
///
/// # Errors
/// [`DryRunError`] where no tick could be run.
pub(crate) async fn dry_run(
    runner: DryRunner,
    spec: &JobSpec,
    state: &JobState,
    services: HostServices,
) -> Result<DryRun, DryRunError> {
    let kept = Arc::new(CapturingBroker::default());
    let services = services.with_broker(Arc::clone(&kept) as _).with_metrics(Arc::new(()));
    match runner {
        DryRunner::BuiltIn { poller, limit, publish } => {
            let publish = PublishList::of(publish.iter().copied());
            Ok(tick(poller, limit, publish, spec, state, services, &kept).await)
        }
        DryRunner::Plugin(binary) => {
            let router = PluginPollerRouter::new(Arc::clone(&services.broker)).with_redact(services.redact.clone());
            let kinds = router.register(&binary)?;
            let kind = kinds.into_iter().find(|kind| kind.kind == spec.kind);
            let kind = kind.ok_or_else(|| DryRunError::KindIsGone { kind: spec.kind.clone() })?;
            let ephemeral = binary.manifest.plugin.is_ephemeral();
            let options = SupervisorOptions::default();
            let process = (!ephemeral).then(|| Supervisor::start((*binary).clone(), &router, options));
            if let Some(process) = &process {
                // Where it does not come up, the tick says why.
                let _ = tokio::time::timeout(PLUGIN_GRACE, process.settled()).await;
            }
            let limit = Duration::from_secs(kind.tick_timeout_secs.into());
            let publish = PublishList::everything();
            let done = tick(kind.poller, limit, publish, spec, state, services, &kept).await;
            if let Some(process) = process {
                process.shutdown(PLUGIN_GRACE).await;
            }
            Ok(done)
        }
    }
}

async fn tick(
    poller: Arc<dyn Poller>,
    limit: Duration,
    publish: PublishList,
    spec: &JobSpec,
    state: &JobState,
    services: HostServices,
    kept: &CapturingBroker,
) -> DryRun {
    let now = SystemClock.now();
    let next = spec.schedule.firings_after(now, 2, &spec.id);
    let redact = services.redact.clone();
    let before = state.cursor.as_deref();
    let identity = TickIdentity::new(&*spec.kind, &*spec.id, &*spec.agent).with_cursor(before);
    let mut dry = AuthorTick::new(poller, identity, spec.config.clone(), now.to_utc());
    dry.config_checked = true;
    dry.publish = publish;
    if let [first, second, ..] = next[..] {
        dry.interval_hint = second.since(first);
    }
    let gate = TickGate::new(CancellationToken::new());
    let run = dry.run(gate.clone(), |tick| Arc::new(InProcessHost::new(services, tick.clone())));
    let deadline = tokio::time::sleep(limit);
    let stop = async {
        deadline.await;
        Duration::ZERO
    };
    let started = Instant::now();
    let ended = watch(run, &gate, stop).await;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (outcome, error, ack) = match ended {
        Some(Ok(Ok(ack))) => (RunOutcome::Ok, None, Some(ack)),
        Some(Ok(Err(error))) => (outcome_of(error.class()), Some(redact.failure(&error, before).to_string()), None),
        Some(Err(panicked)) => (RunOutcome::Transient, Some(format!("the poller {panicked}")), None),
        None => (RunOutcome::Transient, Some(format!("the tick did not end within {} s", limit.as_secs())), None),
    };
    let metrics = ack.as_ref().and_then(|ack| ack.metrics).unwrap_or_default();
    let after = ack.and_then(|ack| ack.next_cursor).filter(|after| Some(&**after) != before);
    DryRun {
        outcome,
        error,
        published: kept.take(),
        items_seen: metrics.items_seen,
        items_dispatched: metrics.items_dispatched,
        cursor: before.map(CursorView::of),
        next_cursor: after.as_deref().map(CursorView::of),
        took_ms,
    }
}

fn outcome_of(class: ErrorClass) -> RunOutcome {
    match class {
        ErrorClass::Transient => RunOutcome::Transient,
        ErrorClass::Permanent => RunOutcome::Permanent,
        ErrorClass::Config => RunOutcome::Config,
    }
}

/// Keeps back every message to the world, and passes on what daemon and plugin say to each other.
#[derive(Default)]
struct CapturingBroker {
    inner: LocalBroker,
    kept: Mutex<Vec<Published>>,
}

impl CapturingBroker {
    fn take(&self) -> Vec<Published> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Broker for CapturingBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        if topics::is_call_or_answer(&event.topic) {
            return self.inner.publish(event).await;
        }
        let Event { topic, id, payload, .. } = event;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Published { topic, id, payload });
        Ok(())
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.inner.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        self.inner.request(topic, source, body, timeout).await
    }
}
