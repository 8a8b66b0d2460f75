use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::calls::answer_call;
use super::kinds::interned;
use super::proxy::{AFTER_CANCEL, has_lost};
use super::supervisor::{PluginProcess, ProcessGroup, StderrTail, drain, exit_sentence};
use super::{InFlight, PluginBinary};
use crate::broker::Broker;
use crate::broker::stdio::{DEFAULT_MAX_LINE, FrameError, LineFramer, forbidden, not_allowed};
use crate::contract::{PollContext, Poller, PollerError, Redact, TickAck};
use crate::wire::{Event, TickReply, TickRequest, open_request, topics};

/// A child that has answered is given this long to exit.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// A child that was sent SIGTERM is given this long.
const TERM_GRACE: Duration = Duration::from_millis(300);

/// One kind of an ephemeral plugin, as a poller: one process a tick.
pub struct EphemeralPollerProxy {
    kind: &'static str,
    description: &'static str,
    plugin: PluginBinary,
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    redact: Redact,
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

    /// Talks to the child until it has answered; `None` where it closed its stdout before that. A child whose tick is
    /// cancelled is told, so that it can end in good order and answer.
    async fn converse(&self, pipes: &mut Pipes, ctx: &PollContext) -> std::io::Result<Option<Value>> {
        pipes.write(&TickRequest::body(ctx)).await?;
        let mut told = false;
        loop {
            let frame = tokio::select! {
                frame = pipes.read(self.id()) => frame?,
                () = ctx.cancel.cancelled(), if !told => {
                    told = true;
                    let params = json!({"reason": "the tick is cancelled"});
                    // A child that listens to nothing has closed its stdin, perhaps.
                    let _ = pipes.write(&json!({"jsonrpc": "2.0", "method": "shutdown", "params": params})).await;
                    continue;
                }
            };
            let Some(mut frame) = frame else { return Ok(None) };
            if TickReply::is_one(&frame) {
                return Ok(Some(frame));
            }
            if frame.get("method").is_none() {
                tracing::warn!(plugin = self.id(), "a line on the plugin's stdout that is no answer was skipped");
                continue;
            }
            let event = frame.pointer_mut("/params/event").map(Value::take);
            let topic = frame.pointer("/params/topic").and_then(Value::as_str).unwrap_or_default();
            if frame.get("method").and_then(Value::as_str) == Some("broker.publish") {
                match event.map(serde_json::from_value::<Event>) {
                    Some(Ok(mut event)) => {
                        topic.clone_into(&mut event.topic);
                        self.take_publish(event, pipes).await?;
                    }
                    _ => pipes.lose(self.id(), "a `broker.publish` is malformed".to_owned()),
                }
            }
        }
    }

    /// A call to the daemon is answered on the child's stdin; everything else goes to the broker.
    async fn take_publish(&self, mut event: Event, pipes: &mut Pipes) -> std::io::Result<()> {
        let allowed = &self.plugin.manifest.plugin.capabilities.broker.publish;
        if let Some(topic) = forbidden(&event, allowed) {
            pipes.lose(self.id(), not_allowed(topic, allowed));
            return Ok(());
        }
        self.id().clone_into(&mut event.source);
        if event.topic == topics::calls(self.id()) {
            let (body, reply_to) = open_request(&event.payload);
            let answer = answer_call(&self.in_flight, self.id(), body).await;
            if let Some(reply_to) = reply_to {
                let event = Event::answer(&reply_to.topic, "daemon", answer);
                let params = json!({"topic": reply_to.topic, "event": event});
                pipes.write(&json!({"jsonrpc": "2.0", "method": "broker.event", "params": params})).await?;
            }
        } else if let Err(error) = self.broker.publish(event).await {
            pipes.lose(self.id(), error.to_string());
        }
        Ok(())
    }

    /// What has become of the child that has not answered in time: asked to end, and killed with its group after that.
    async fn end(child: &mut Child, group: &ProcessGroup) {
        group.terminate();
        // One that does not end by itself is killed when its group is dropped.
        let _ = tokio::time::timeout(TERM_GRACE, child.wait()).await;
    }
}

/// The pipes to one child.
struct Pipes {
    stdin: ChildStdin,
    stdout: ChildStdout,
    framer: LineFramer,
    chunk: Vec<u8>,
    at_end: bool,
    /// Why something that it published has not gone out.
    lost: Option<String>,
}

impl Pipes {
    fn new(stdin: ChildStdin, stdout: ChildStdout) -> Self {
        let chunk = vec![0; 16 * 1024];
        Self { stdin, stdout, framer: LineFramer::new(DEFAULT_MAX_LINE), chunk, at_end: false, lost: None }
    }

    async fn write(&mut self, line: &Value) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.stdin.write_all(&bytes).await?;
        self.stdin.flush().await
    }

    /// The next line that holds an object; `None` at the end. May be dropped and called again: nothing is lost.
    async fn read(&mut self, plugin: &str) -> std::io::Result<Option<Value>> {
        loop {
            while let Some(line) = self.framer.next_line() {
                let too_long = match line {
                    Ok(line) => match serde_json::from_str::<Value>(line) {
                        Ok(frame) if frame.is_object() => return Ok(Some(frame)),
                        _ => None,
                    },
                    Err(FrameError::TooLong { object: true, .. }) => line.err().map(|error| error.to_string()),
                    Err(_) => None,
                };
                tracing::warn!(plugin, "a line on the plugin's stdout that is no protocol was skipped");
                if let Some(why) = too_long {
                    self.lost.get_or_insert(why);
                }
            }
            if self.at_end {
                return Ok(None);
            }
            let length = self.stdout.read(&mut self.chunk).await?;
            self.framer.push(&self.chunk[..length]);
            self.at_end = length == 0;
            if self.at_end && !self.framer.rest().is_empty() {
                // The last line of a child may lack its newline.
                self.framer.push(b"\n");
            }
        }
    }

    fn lose(&mut self, plugin: &str, why: String) {
        tracing::warn!(plugin, "a message of the plugin was dropped, so its tick will be repeated: {why}");
        self.lost.get_or_insert(why);
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
        let PluginProcess { mut child, stdin, stdout, stderr, group } = process;
        let mut pipes = Pipes::new(stdin, stdout);
        let _place = self.in_flight.enter(self.id(), ctx);
        let tail = StderrTail::default();
        let draining = tokio::spawn(drain(stderr, self.id().to_owned(), tail.clone(), self.redact.clone()));
        let late = async {
            ctx.cancel.cancelled().await;
            tokio::time::sleep(AFTER_CANCEL).await;
        };
        let answer = tokio::select! {
            answer = tokio::time::timeout(self.timeout(), self.converse(&mut pipes, ctx)) => answer,
            () = late => {
                Self::end(&mut child, &group).await;
                return Err(self.transient("was stopped in the middle of this tick"));
            }
        };
        let Pipes { stdin, stdout, lost, .. } = pipes;
        match answer {
            Ok(Ok(Some(body))) => {
                drop(stdin);
                let _open = stdout;
                if tokio::time::timeout(EXIT_GRACE, child.wait()).await.is_err() {
                    tracing::warn!(
                        plugin = self.id(),
                        "an ephemeral plugin did not exit after its answer; it was killed"
                    );
                }
                let ack = TickReply::read(&body).map_err(|error| self.redact.error(error))?;
                lost.map_or(Ok(ack), |why| Err(self.transient(has_lost(&why))))
            }
            Ok(Ok(None) | Err(_)) => {
                let ended = tokio::time::timeout(EXIT_GRACE, child.wait()).await;
                let how = ended.map_or_else(|_| "closed its stdout".to_owned(), exit_sentence);
                // What it wrote before it ended is on its way.
                let _ = tokio::time::timeout(Duration::from_millis(500), draining).await;
                Err(self.transient(format!("{how} without an answer to this tick{}", tail.last_as_clause())))
            }
            Err(_) => {
                Self::end(&mut child, &group).await;
                Err(self.transient(format!("did not answer this tick within {} s", self.timeout().as_secs())))
            }
        }
    }
}
