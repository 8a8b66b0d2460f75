//! One tick, in a task of its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::contract::{PollContext, Poller, PollerError, TickAck, TickMemory};
use crate::runner::hosts::{HostProvider, TickIdentity};
use crate::store::UnixMs;

/// What a tick task tells the engine when it has gone.
pub(super) struct Ended {
    pub(super) run: u32,
    pub(super) result: TickResult,
}

pub(super) enum TickResult {
    Returned(Result<TickAck, PollerError>),
    Panicked(String),
    /// The task was dropped before the tick returned.
    Dropped,
}

/// Everything a tick needs.
pub(super) struct TickOrder {
    pub(super) run: u32,
    pub(super) poller: Arc<dyn Poller>,
    pub(super) hosts: Arc<dyn HostProvider>,
    pub(super) identity: TickIdentity,
    pub(super) config: Arc<str>,
    pub(super) now: UnixMs,
    pub(super) interval_hint: Duration,
    pub(super) cancel: CancellationToken,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
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
    pub(super) async fn run(self) {
        let span = tracing::info_span!(
            "tick",
            job = %self.identity.job_id,
            kind = self.identity.kind,
            agent = %self.identity.agent_id,
            run_key = self.identity.run_key.0,
            attempt = self.identity.attempt,
            outcome = tracing::field::Empty,
        );
        let mut report = Report { run: self.run, result: TickResult::Dropped, ended: self.ended.clone() };
        report.result = self.tick().instrument(span.clone()).await;
        span.record("outcome", report.result.as_str());
    }

    async fn tick(self) -> TickResult {
        let result = unwinding(async {
            let host = self.hosts.host_for(&self.identity);
            let context = PollContext {
                job_id: self.identity.job_id.to_string(),
                agent_id: self.identity.agent_id.to_string(),
                kind: self.identity.kind,
                // The text was written from a value when the job was loaded.
                config: serde_json::from_str(&self.config).unwrap_or(Value::Null),
                cursor: self.identity.cursor_before.as_deref().map(<[u8]>::to_vec),
                now: self.now.to_utc(),
                interval_hint: self.interval_hint,
                cancel: self.cancel,
                host,
                memory: TickMemory::default(),
            };
            self.poller.tick(&context).await
        });
        match result.await {
            Ok(returned) => TickResult::Returned(returned),
            Err(panic) => TickResult::Panicked(panic_message(panic.as_ref())),
        }
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

/// Runs `future` to its end or to its panic.
async fn unwinding<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        // A future that panicked is not polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(std::task::Poll::Ready(value)) => std::task::Poll::Ready(Ok(value)),
            Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// The words of a panic.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
