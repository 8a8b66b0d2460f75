use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::process::{Child, ChildStdout};

use super::calls::answer_call;
use super::kinds::interned;
use super::proxy::{AFTER_CANCEL, has_lost};
use super::supervisor::{FaultLog, PluginProcess, ProcessGroup, StderrReader, StderrTail, exit_sentence};
use super::tick_faults::TickFaults;
use super::{InFlight, PluginBinary};
use crate::broker::Broker;
use crate::broker::stdio::{BridgeObserver as _, FromChild, OneTickParent};
use crate::contract::{PollContext, Poller, PollerError, Redact, TickAck};
use crate::manifest::PluginRights;
use crate::wire::{Event, TickReply, TickRequest, open_request};

/// A child that has answered is given this long to exit.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// A child that was sent SIGTERM is given this long.
const TERM_GRACE: Duration = Duration::from_millis(300);

/// What a child has written to stderr before it ended is read for this long at most: a process that has left its group may hold
/// the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// One kind of an ephemeral plugin, as a poller: one process a tick.
pub struct EphemeralPollerProxy {
    kind: &'static str,
    plugin: PluginBinary,
    rights: Arc<PluginRights>,
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    redact: Redact,
    faults: Arc<FaultLog>,
}

impl fmt::Debug for EphemeralPollerProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralPollerProxy")
            .field("kind", &self.kind)
            .field("program", &self.plugin.program)
            .finish_non_exhaustive()
    }
}

impl EphemeralPollerProxy {
    /// The proxy of `kind` of `plugin`.
    #[must_use]
    pub fn new(kind: &str, plugin: PluginBinary, broker: Arc<dyn Broker>, in_flight: InFlight) -> Self {
        let rights = Arc::new(plugin.rights());
        Self {
            kind: interned(kind),
            plugin,
            rights,
            broker,
            in_flight,
            redact: Redact::default(),
            faults: Arc::default(),
        }
    }

    /// Applies `redact` to what its processes write to stderr and to the errors of their ticks.
    #[must_use]
    pub fn with_redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    fn id(&self) -> &str {
        &self.plugin.manifest.plugin.id
    }

    fn timeout(&self) -> Duration {
        let section = self.plugin.manifest.plugin.poller.as_ref();
        Duration::from_secs(section.map_or(60, |section| section.tick_timeout_secs).into())
    }

    fn transient(&self, what: impl std::fmt::Display) -> PollerError {
        PollerError::transient(format!("plugin `{}` {what}; the cursor has not moved", self.id()))
    }

    /// Listens to the child until it has answered; `None` where it closed its stdout before that. A child whose tick is
    /// cancelled is told, so that it can end in good order and answer.
    async fn converse(
        &self,
        child: &mut OneTickParent<ChildStdout>,
        ctx: &PollContext,
        faults: &TickFaults,
    ) -> std::io::Result<Option<Value>> {
        let mut told = false;
        loop {
            let said = tokio::select! {
                said = child.next() => said?,
                () = ctx.cancel.cancelled(), if !told => {
                    told = true;
                    child.cancel();
                    continue;
                }
            };
            match said {
                None => return Ok(None),
                Some(FromChild::Answer(answer)) => return Ok(Some(answer)),
                Some(FromChild::Publish(event)) => self.take_publish(event, child, faults).await,
                // One that runs one tick is asked nothing and answered nothing.
                Some(FromChild::Request { .. } | FromChild::Response { .. }) => {}
            }
        }
    }

    /// A call to the daemon is answered on the child's stdin; everything else goes to the broker.
    async fn take_publish(&self, mut event: Event, child: &OneTickParent<ChildStdout>, faults: &TickFaults) {
        let (body, reply_to) = open_request(&event.payload);
        if event.topic == self.rights.calls() {
            let answer = answer_call(&self.in_flight, self.id(), body).await;
            if let Some(reply_to) = reply_to {
                child.hand_over(&Event::answer(&reply_to.topic, "daemon", answer));
            }
            return;
        }
        // Only its calls are answered: it hears nothing else, so nobody is to answer in an inbox that it names.
        if reply_to.is_some()
            && let Some(wanted) = event.payload.get_mut("reply_to")
        {
            *wanted = Value::Null;
        }
        if let Err(error) = self.broker.publish(event).await {
            faults.lost(self.id(), &error.to_string());
        }
    }

    /// What has become of the child that has not answered in time: asked to end, and killed with its group after that.
    async fn end(child: &mut Child, group: ProcessGroup) {
        group.terminate();
        // One that does not end by itself is killed with its group, which is dropped here.
        let _ = tokio::time::timeout(TERM_GRACE, child.wait()).await;
    }
}

#[async_trait]
impl Poller for EphemeralPollerProxy {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let started = tokio::select! {
            started = tokio::time::timeout(self.timeout(), PluginProcess::start_aside(&self.plugin, true)) => started,
            () = ctx.cancel.cancelled() => return Err(self.transient("was stopped before this tick")),
        };
        let program = self.plugin.program.display();
        let process = started
            .map_err(|_| self.transient(format!("did not start: does the file system of {program} answer?")))?
            .map_err(|error| self.transient(format!("cannot be started: {program}: {error}")))?;
        // Killed with everything it has forked when this tick ends, however it does.
        let PluginProcess { mut child, stdin, stdout, stderr, group } = process;
        let _place = self.in_flight.enter(self.id(), ctx);
        let faults = Arc::new(TickFaults::new(Arc::clone(&self.faults)));
        let request = TickRequest::body(ctx);
        let plugin = (&self.plugin.manifest.plugin, Arc::clone(&self.rights));
        let mut talk = OneTickParent::start(stdout, stdin, plugin, &request, Arc::clone(&faults) as _);
        let tail = StderrTail::default();
        let reading = StderrReader::start(stderr, self.id(), &tail, &self.redact);
        let late = async {
            ctx.cancel.cancelled().await;
            tokio::time::sleep(AFTER_CANCEL).await;
        };
        let answer = tokio::select! {
            answer = tokio::time::timeout(self.timeout(), self.converse(&mut talk, ctx, &faults)) => answer,
            () = late => {
                Self::end(&mut child, group).await;
                reading.finish(LAST_WORDS).await;
                return Err(self.transient("was stopped in the middle of this tick"));
            }
        };
        let _open = talk.close_stdin();
        match answer {
            Ok(Ok(Some(body))) => {
                if tokio::time::timeout(EXIT_GRACE, child.wait()).await.is_err() {
                    tracing::warn!(
                        plugin = self.id(),
                        "an ephemeral plugin did not exit after its answer; it was killed"
                    );
                }
                // The group first: whatever was forked holds the pipes.
                drop(group);
                reading.finish(LAST_WORDS).await;
                let ack = TickReply::read(&body).map_err(|error| self.redact.error(error))?;
                faults.take_lost().map_or(Ok(ack), |why| Err(self.transient(has_lost(&why))))
            }
            Ok(Ok(None) | Err(_)) => {
                let ended = tokio::time::timeout(EXIT_GRACE, child.wait()).await;
                let how = ended.map_or_else(|_| "closed its stdout".to_owned(), exit_sentence);
                drop(group);
                reading.finish(LAST_WORDS).await;
                Err(self.transient(format!("{how} without an answer to this tick{}", tail.last_as_clause())))
            }
            Err(_) => {
                Self::end(&mut child, group).await;
                reading.finish(LAST_WORDS).await;
                Err(self.transient(format!("did not answer this tick within {} s", self.timeout().as_secs())))
            }
        }
    }
}
