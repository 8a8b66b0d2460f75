use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout};

use super::calls::answer_call;
use super::kinds::interned;
use super::supervisor::{PluginProcess, StderrTail, drain, exit_sentence};
use super::{InFlight, PluginBinary};
use crate::broker::Broker;
use crate::broker::stdio::{DEFAULT_MAX_LINE, LineFramer, forbidden};
use crate::contract::{PollContext, Poller, PollerError, Redact, TickAck};
use crate::wire::{Event, TickReply, TickRequest, open_request};

/// A child that has answered is given this long to exit.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// One kind of an ephemeral plugin, as a poller: one process a tick.
pub struct EphemeralPollerProxy {
    kind: &'static str,
    description: &'static str,
    plugin: PluginBinary,
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    redact: Redact,
}

impl EphemeralPollerProxy {
    /// The proxy of `kind` of `plugin`.
    #[must_use]
    pub fn new(kind: &str, plugin: PluginBinary, broker: Arc<dyn Broker>, in_flight: InFlight) -> Self {
        let description = interned(&plugin.manifest.plugin.description);
        Self { kind: interned(kind), description, plugin, broker, in_flight, redact: Redact::default() }
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

    /// Talks to the child until it has answered; `None` where it closed its stdout before that.
    async fn converse(
        &self,
        stdin: &mut ChildStdin,
        stdout: &mut ChildStdout,
        ctx: &PollContext,
    ) -> std::io::Result<Option<Value>> {
        write_line(stdin, &TickRequest::body(ctx)).await?;
        let mut framer = LineFramer::new(DEFAULT_MAX_LINE);
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let length = stdout.read(&mut chunk).await?;
            framer.push(&chunk[..length]);
            if length == 0 && !framer.rest().is_empty() {
                // The last line of a child may lack its newline.
                framer.push(b"\n");
            }
            while let Some(line) = framer.next_line() {
                let frame = line.ok().and_then(|line| serde_json::from_str::<Value>(line).ok());
                let Some(mut frame) = frame.filter(Value::is_object) else {
                    tracing::warn!(plugin = self.id(), "a line on the plugin's stdout that is no protocol was skipped");
                    continue;
                };
                if TickReply::is_one(&frame) {
                    return Ok(Some(frame));
                }
                if frame.get("method").is_none() {
                    tracing::warn!(plugin = self.id(), "a line on the plugin's stdout that is no answer was skipped");
                    continue;
                }
                let event = frame.pointer_mut("/params/event").map(Value::take);
                let topic = frame.pointer("/params/topic").and_then(Value::as_str).unwrap_or_default();
                if frame.get("method").and_then(Value::as_str) == Some("broker.publish")
                    && let Some(Ok(mut event)) = event.map(serde_json::from_value::<Event>)
                {
                    topic.clone_into(&mut event.topic);
                    self.take_publish(event, stdin).await?;
                }
            }
            if length == 0 {
                return Ok(None);
            }
        }
    }

    /// A call to the daemon is answered on the child's stdin; everything else goes to the broker.
    async fn take_publish(&self, mut event: Event, stdin: &mut ChildStdin) -> std::io::Result<()> {
        let allowed = &self.plugin.manifest.plugin.capabilities.broker.publish;
        if let Some(topic) = forbidden(&event, allowed) {
            let allowed = allowed.join(", ");
            tracing::warn!(
                plugin = self.id(),
                "a message on `{topic}` was dropped: the manifest's publish list is [{allowed}]"
            );
            return Ok(());
        }
        self.id().clone_into(&mut event.source);
        if event.topic == format!("daemon.rpc.{}", self.id()) {
            let (body, reply_to) = open_request(&event.payload);
            let answer = answer_call(&self.in_flight, self.id(), body).await;
            if let Some(reply_to) = reply_to {
                let event = Event::answer(&reply_to.topic, "daemon", answer);
                let params = json!({"topic": reply_to.topic, "event": event});
                write_line(stdin, &json!({"jsonrpc": "2.0", "method": "broker.event", "params": params})).await?;
            }
        } else if let Err(error) = self.broker.publish(event).await {
            tracing::warn!(plugin = self.id(), %error, "a message of this plugin was dropped");
        }
        Ok(())
    }
}

#[async_trait]
impl Poller for EphemeralPollerProxy {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn description(&self) -> &'static str {
        self.description
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let process = PluginProcess::start(&self.plugin, true).map_err(|error| {
            self.transient(format!("cannot be started: {}: {error}", self.plugin.program.display()))
        })?;
        // Killed with everything it has forked when this tick ends, however it does.
        let PluginProcess { mut child, mut stdin, mut stdout, stderr, group: _group } = process;
        let _place = self.in_flight.enter(self.id(), ctx);
        let tail = StderrTail::default();
        let draining = tokio::spawn(drain(stderr, self.id().to_owned(), tail.clone(), self.redact.clone()));
        let answer = tokio::select! {
            answer = tokio::time::timeout(self.timeout(), self.converse(&mut stdin, &mut stdout, ctx)) => answer,
            () = ctx.cancel.cancelled() => {
                return Err(self.transient("was stopped in the middle of this tick"));
            }
        };
        match answer {
            Ok(Ok(Some(body))) => {
                drop(stdin);
                if tokio::time::timeout(EXIT_GRACE, child.wait()).await.is_err() {
                    tracing::warn!(
                        plugin = self.id(),
                        "an ephemeral plugin did not exit after its answer; it was killed"
                    );
                }
                TickReply::read(&body).map_err(|error| self.redact.error(error))
            }
            Ok(Ok(None) | Err(_)) => {
                let ended = tokio::time::timeout(EXIT_GRACE, child.wait()).await;
                let how = ended.map_or_else(|_| "closed its stdout".to_owned(), exit_sentence);
                // What it wrote before it ended is on its way.
                let _ = tokio::time::timeout(Duration::from_millis(500), draining).await;
                Err(self.transient(format!("{how} without an answer to this tick{}", tail.last_as_clause())))
            }
            Err(_) => Err(self.transient(format!("did not answer this tick within {} s", self.timeout().as_secs()))),
        }
    }
}

async fn write_line(stdin: &mut ChildStdin, line: &Value) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    stdin.write_all(&bytes).await?;
    stdin.flush().await
}
