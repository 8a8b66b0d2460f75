//! One tick, in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use crate::contract::{Poller, PollerError, Redact, TickAck, TickIdentity};
use crate::runner::hosts::HostProvider;
use crate::store::UnixMs;
use crate::tick::{AuthorTick, Panicked, PublishList, TickGate};

/// What a tick task tells the engine when it has gone.
pub(super) struct Ended {
    pub(super) run: u32,
    pub(super) result: TickResult,
}

pub(super) enum TickResult {
    Returned(Result<TickAck, PollerError>),
    Panicked(Panicked),
    /// The task was dropped before the tick returned.
    Dropped,
}

/// Everything a tick needs.
pub(super) struct TickOrder {
    pub(super) run: u32,
    pub(super) poller: Arc<dyn Poller>,
    pub(super) hosts: Arc<dyn HostProvider>,
    pub(super) identity: TickIdentity,
    /// 0 for the first attempt at this run.
    pub(super) attempt: u32,
    pub(super) config: Arc<str>,
    pub(super) now: UnixMs,
    pub(super) interval_hint: Duration,
    pub(super) publish: PublishList,
    pub(super) runs_elsewhere: bool,
    pub(super) redact: Redact,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
}

/// A tick that runs in its task. The engine keeps the deadlines of all of them in one place, together with their leases; this
/// is how it ends one that does not end by itself.
pub(super) struct TickTask {
    gate: TickGate,
    task: AbortHandle,
    /// The task only waits for an answer: without it nobody would know when the tick is over.
    runs_elsewhere: bool,
}

impl TickTask {
    #[cfg(test)]
    pub(super) fn of(gate: TickGate, task: AbortHandle) -> Self {
        Self { gate, task, runs_elsewhere: false }
    }

    /// Tells the tick to end.
    pub(super) fn cancel(&self) {
        self.gate.cancel();
    }

    /// Shuts the world to the tick, and drops its task as soon as that lets go of its thread. One that blocks cannot be
    /// dropped, but what it publishes from now on goes nowhere. One that runs elsewhere ends when its answer comes.
    pub(super) fn abort(&self) {
        self.gate.close();
        if !self.runs_elsewhere {
            self.task.abort();
        }
    }
}

/// Tells the engine that the task is gone, however it goes.
struct Report {
    run: u32,
    result: TickResult,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Drop for Report {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, TickResult::Dropped);
        // The engine is gone only at shutdown, when nobody waits for this any more.
        let _ = self.ended.send(Ended { run: self.run, result });
    }
}

impl TickOrder {
    pub(super) fn start(self) -> TickTask {
        let gate = TickGate::default();
        let runs_elsewhere = self.runs_elsewhere;
        let task = tokio::spawn(self.run(gate.clone())).abort_handle();
        TickTask { gate, task, runs_elsewhere }
    }

    async fn run(self, gate: TickGate) {
        let span = tracing::info_span!(
            "tick",
            job = %self.identity.job_id,
            kind = &*self.identity.kind,
            agent = %self.identity.agent_id,
            run_key = self.identity.run_key.map(|at| at.timestamp_millis()),
            attempt = self.attempt,
            outcome = tracing::field::Empty,
        );
        let mut report = Report { run: self.run, result: TickResult::Dropped, ended: self.ended };
        let (hosts, redact) = (self.hosts, self.redact);
        let cursor = self.identity.cursor_before.clone();
        let tick = AuthorTick {
            poller: self.poller,
            identity: self.identity,
            // The text was written from a value when the job was loaded.
            config: serde_json::from_str(&self.config).unwrap_or(Value::Null),
            config_checked: true,
            now: self.now.to_utc(),
            interval_hint: self.interval_hint,
            publish: self.publish,
        };
        // Each layer of futures that takes the tick by value copies it once more, a hundred thousand times a second.
        report.result = match tick.run(gate, |tick| hosts.host_for(tick)).instrument(span.clone()).await {
            // Whoever ran it, here or in a plugin: what it says of its failure is nobody's secret from here on.
            Ok(returned) => TickResult::Returned(returned.map_err(|error| redact.failure(&error, cursor.as_deref()))),
            Err(panicked) => TickResult::Panicked(panicked),
        };
        span.record("outcome", report.result.as_str());
    }
}

impl TickResult {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Returned(Ok(_)) => "ok",
            Self::Returned(Err(error)) => error.class().as_str(),
            Self::Panicked(_) => "panicked",
            Self::Dropped => "abandoned",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::contract::recording_host::RecordingHost;
    use crate::prelude::*;

    /// Blocks its thread until it is told to go on, and tells what its publish came to then.
    struct Blocks {
        go_on: Mutex<Receiver<()>>,
        begun: Sender<()>,
        published: Sender<Result<(), HostError>>,
    }

    #[async_trait]
    impl Poller for Blocks {
        fn kind(&self) -> &'static str {
            "blocks"
        }

        async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
            self.begun.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
            self.published.send(ctx.publish("plugin.outbound.late", &json!({})).await).unwrap();
            Ok(TickAck::new())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_tick_that_blocks_its_thread_publishes_nothing_once_it_is_abandoned() {
        let ((begun, begins), (go, go_on), (published, publishes)) = (channel(), channel(), channel());
        let (ended, _ends) = mpsc::unbounded_channel();
        let host = RecordingHost::new(Ok(Value::Null));
        let order = TickOrder {
            run: 0,
            poller: Arc::new(Blocks { go_on: Mutex::new(go_on), begun, published }),
            hosts: Arc::new(Arc::clone(&host)),
            identity: TickIdentity::new("blocks", "j", "ana"),
            attempt: 0,
            config: "{}".into(),
            now: UnixMs(0),
            interval_hint: Duration::ZERO,
            publish: PublishList::everything(),
            runs_elsewhere: false,
            redact: Redact::default(),
            ended,
        };
        let task = order.start();
        // This thread is not the worker that the tick blocks.
        begins.recv().unwrap();
        task.abort();
        go.send(()).unwrap();
        let late = publishes.recv().unwrap().unwrap_err();
        assert!(late.to_string().contains("the tick is over"), "{late}");
        assert!(host.sent.lock().unwrap().is_empty());
    }
}
