use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::Schema;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::running_jobs::{RunningJob, RunningJobs};
use crate::contract::{Poller, PollerError, PollerHost, TickAck, TickIdentity};
use crate::manifest::{Declaration, PollerSection};
use crate::tick::{AuthorTick, Panicked, PublishList, TickGate, watch};
use crate::wire::{RpcError, TickCancel, TickOrder, TickReply, code};

/// One kind that a plugin serves.
#[derive(Clone)]
pub(super) struct ServedKind {
    pub(super) declaration: Declaration,
    pub(super) poller: Arc<dyn Poller>,
    pub(super) schema: fn() -> Option<Schema>,
}

impl ServedKind {
    /// How many ticks of this kind may run at once.
    pub(super) fn max_concurrent_ticks(&self) -> usize {
        let declared = self.declaration.max_concurrent_ticks;
        declared.unwrap_or_else(PollerSection::default_max_concurrent_ticks).clamp(1, 64) as usize
    }

    /// The deadline of one tick.
    fn tick_timeout(&self) -> Duration {
        let declared = self.declaration.tick_timeout_secs;
        Duration::from_secs(declared.unwrap_or_else(PollerSection::default_tick_timeout_secs).into())
    }
}

/// How patient a [`TickRunner`] is with ticks that were told to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TickGrace {
    /// After its deadline: 1 s.
    pub deadline: Duration,
    /// After a shutdown was asked for, or the daemon has cancelled the tick: 4 s.
    pub shutdown: Duration,
}

impl TickGrace {
    /// So patient after a deadline, and after a shutdown.
    #[must_use]
    pub const fn new(deadline: Duration, shutdown: Duration) -> Self {
        Self { deadline, shutdown }
    }
}

impl Default for TickGrace {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(1), shutdown: Duration::from_secs(4) }
    }
}

/// Runs ticks of the kinds that a plugin serves: each within its kind's limit and deadline, each in a task of its own,
/// so that a tick that hangs or panics hurts only itself.
///
/// A tick that ignores its `cancel` token is abandoned: its task is aborted and its host is closed. Its slot stays
/// taken until its code really ends, so that a poller that blocks cannot pile up threads.
pub struct TickRunner {
    kinds: Vec<(ServedKind, Arc<Semaphore>)>,
    /// What the ticks of all kinds may publish on: the list in the manifest is the plugin's.
    publish: PublishList,
    authors: Handle,
    grace: TickGrace,
    stopping: CancellationToken,
    running: RunningJobs,
}

impl fmt::Debug for TickRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickRunner")
            .field("kinds", &self.kinds.iter().map(|(kind, _)| kind.declaration.kind).collect::<Vec<_>>())
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

impl TickRunner {
    pub(super) fn new(kinds: Vec<ServedKind>, publish: PublishList, authors: Handle, grace: TickGrace) -> Self {
        let with_slots = |kind: ServedKind| {
            let slots = Arc::new(Semaphore::new(kind.max_concurrent_ticks()));
            (kind, slots)
        };
        let kinds = kinds.into_iter().map(with_slots).collect();
        Self { kinds, publish, authors, grace, stopping: CancellationToken::new(), running: RunningJobs::default() }
    }

    /// Cancels every running tick and refuses new ones. Ticks that do not end within the grace are abandoned.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Tells the tick that `cancel` names to end, where it runs here. It is answered as always, and abandoned after the grace of a
    /// shutdown.
    pub fn cancel(&self, cancel: &TickCancel<'_>) {
        self.running.cancel(cancel);
    }

    /// The body that answers the request `body`, whatever it is. `host` makes the tick's host.
    pub async fn answer(
        &self,
        body: &Value,
        host: impl FnOnce(&TickOrder) -> Arc<dyn PollerHost>,
        repeated: bool,
    ) -> Value {
        let order = match TickOrder::read(body) {
            Ok(order) => order,
            Err(error) => return TickReply::failure(&error, repeated),
        };
        if let Err(error) = self.find(&order) {
            return TickReply::failure(&error, repeated);
        }
        let host = host(&order);
        TickReply::body(&self.run(order, host).await, repeated)
    }

    /// Runs one tick to its end. Its deadline counts from now, whether it waits for a slot or runs: whoever asked does
    /// not wait longer.
    ///
    /// # Errors
    /// What the poller returned. Besides: permanent where the kind is not served here, config where the poller refuses
    /// the job's config, transient where the tick panicked, was abandoned, or found no free slot within its deadline, and
    /// where the job's tick before this one has not ended.
    pub async fn run(&self, order: TickOrder, host: Arc<dyn PollerHost>) -> Result<TickAck, PollerError> {
        let (kind, slots) = self.find(&order)?;
        let tick_timeout = kind.tick_timeout();
        let deadline = Instant::now() + tick_timeout;
        let job_id = order.job_id.clone();
        let identity = identity_of(&order);
        // Cancelled with all others by a shutdown, or alone.
        let cancel = self.stopping.child_token();
        let Some(place) = self.running.enter(&identity, order.now, &cancel) else {
            return Err(PollerError::transient(format!(
                "job `{job_id}`: its tick before this one still runs in the plugin, though nobody waits for it any more"
            )));
        };
        let slot = self.slot(kind, slots, &job_id, deadline, &cancel).await?;
        let mut cancelled = false;
        let mut tick = self.start(kind, identity, order, host, cancel.clone(), (place, slot));
        let stop = async {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => self.grace.deadline,
                () = cancel.cancelled() => {
                    cancelled = true;
                    self.grace.shutdown
                }
            }
        };
        match watch(&mut tick.task, &tick.gate, stop).await {
            Some(ended) => outcome_of(&job_id, ended),
            None if self.stopping.is_cancelled() => Err(PollerError::transient(format!(
                "job `{job_id}`: its tick was abandoned because the plugin is shutting down"
            ))),
            None if cancelled => Err(PollerError::transient(format!(
                "job `{job_id}`: its tick was cancelled by the daemon, ignored its cancel token for {} s, and was abandoned",
                self.grace.shutdown.as_secs_f64()
            ))),
            None => Err(PollerError::transient(format!(
                "job `{job_id}`: its tick did not end within {} s, ignored its cancel token for another {} ms, and was \
                 abandoned; raise tick_timeout_secs of #[poller] if the source is slow",
                tick_timeout.as_secs(),
                self.grace.deadline.as_millis()
            ))),
        }
    }

    fn find(&self, order: &TickOrder) -> Result<&(ServedKind, Arc<Semaphore>), RpcError> {
        self.kinds.iter().find(|(kind, _)| kind.declaration.kind == order.kind).ok_or_else(|| {
            let served: Vec<_> = self.kinds.iter().map(|(kind, _)| format!("`{}`", kind.declaration.kind)).collect();
            RpcError {
                code: code::METHOD_NOT_FOUND,
                message: format!(
                    "job `{}`: this plugin does not serve kind `{}`; it serves {}",
                    order.job_id,
                    order.kind,
                    served.join(", ")
                ),
                retry_after: None,
            }
        })
    }

    async fn slot(
        &self,
        kind: &ServedKind,
        slots: &Arc<Semaphore>,
        job_id: &str,
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<OwnedSemaphorePermit, PollerError> {
        let stopping = || {
            let why = if self.stopping.is_cancelled() {
                "the plugin is shutting down"
            } else {
                "the daemon has cancelled its tick"
            };
            PollerError::transient(format!("job `{job_id}`: {why}"))
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(stopping()),
            slot = timeout_at(deadline, Arc::clone(slots).acquire_owned()) => match slot {
                Ok(Ok(slot)) => Ok(slot),
                Ok(Err(_)) => Err(stopping()),
                Err(_) => Err(PollerError::transient(format!(
                    "job `{job_id}`: all {} slots of kind `{}` were taken for {} s; raise max_concurrent_ticks of \
                     #[poller], or look for ticks that hang",
                    kind.max_concurrent_ticks(),
                    kind.declaration.kind,
                    kind.tick_timeout().as_secs()
                ))),
            },
        }
    }

    fn start(
        &self,
        kind: &ServedKind,
        identity: TickIdentity,
        order: TickOrder,
        host: Arc<dyn PollerHost>,
        cancel: CancellationToken,
        held: (RunningJob, OwnedSemaphorePermit),
    ) -> RunningTick {
        let gate = TickGate::new(cancel);
        let tick = AuthorTick {
            poller: Arc::clone(&kind.poller),
            identity,
            config: order.config,
            config_checked: false,
            now: order.now,
            interval_hint: order.interval_hint,
            publish: self.publish.clone(),
        };
        let run = tick.run(gate.clone(), move |_| host);
        let task = self.authors.spawn(async move {
            // Until the code really ends, also where it is abandoned.
            let _held = held;
            run.await
        });
        RunningTick { task, gate }
    }
}

/// Which tick `order` asks for.
pub(super) fn identity_of(order: &TickOrder) -> TickIdentity {
    TickIdentity::new(order.kind.as_str(), order.job_id.as_str(), order.agent_id.as_str())
        .with_cursor(order.cursor.as_deref())
}

/// How a tick's task ends.
type TaskEnd = Result<Result<Result<TickAck, PollerError>, Panicked>, tokio::task::JoinError>;

fn outcome_of(job_id: &str, end: TaskEnd) -> Result<TickAck, PollerError> {
    match end {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panicked)) => Err(PollerError::transient(format!("job `{job_id}`: its tick {panicked}"))),
        Err(_) => Err(PollerError::transient(format!("job `{job_id}`: its tick panicked while it was cleaned up"))),
    }
}

/// A tick whose task does not outlive the wait for it, and whose host closes with it.
struct RunningTick {
    task: JoinHandle<Result<Result<TickAck, PollerError>, Panicked>>,
    gate: TickGate,
}

impl Drop for RunningTick {
    fn drop(&mut self) {
        // From here, not only from within the task: one that blocks its thread cannot be aborted.
        self.gate.close();
        self.task.abort();
    }
}
