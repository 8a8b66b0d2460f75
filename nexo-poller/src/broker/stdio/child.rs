use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::frame::LineFramer;
use super::rpc::{Carried, Frame, FrameKind, carry, refusal, result};
use crate::broker::local::check_topic;
use crate::broker::{Broker, BrokerError, LocalBroker, Subscription};
use crate::manifest::Manifest;
use crate::wire::Event;

/// How much is read from the daemon at once.
const CHUNK: usize = 64 * 1024;

/// A daemon's lines hold configs and cursors: more than it would accept itself.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a plugin answers to `initialize`.
#[derive(Debug, Clone)]
pub struct Hello {
    /// Who the plugin is and what it serves.
    pub manifest: Manifest,
    /// Name and version, as in `jira-0.1.0`.
    pub server_version: String,
}

/// The plugin's end of the stdio bridge: a [`Broker`] whose other side is the daemon that spawned the plugin.
///
/// A plain thread reads (tokio's stdin would cost a hop between threads for every read); a message is written by whoever
/// publishes it, as one write of one line.
#[derive(Clone)]
pub struct StdioBroker {
    incoming: LocalBroker,
    output: Output,
}

/// How the bridge ends, seen from the plugin.
#[derive(Debug)]
pub struct StdioSession {
    ends: mpsc::Receiver<(SessionEnd, Option<Value>)>,
    output: Output,
    shutdown_id: Option<Value>,
}

/// Why the bridge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The daemon asked for it: finish what runs, then [`acknowledge`](StdioSession::acknowledge).
    Shutdown {
        /// What the daemon said.
        reason: String,
    },
    /// Stdin is at its end: the daemon is gone.
    InputClosed,
    /// Stdin cannot be read.
    InputFailed {
        /// What the operating system said.
        reason: String,
    },
}

#[derive(Clone)]
struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    /// One line, whole: a lock around one write, so that lines of different threads never mix.
    fn write(&self, line: &[u8]) -> Result<(), BrokerError> {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = output.write_all(line).and_then(|()| output.flush());
        written.map_err(|error| BrokerError::Closed { reason: format!("the daemon reads no more: {error}") })
    }
}

impl StdioBroker {
    /// Starts reading `input` and answers the daemon's handshake with `hello`.
    pub fn start(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        hello: Hello,
    ) -> (Self, StdioSession) {
        let output = Output(Arc::new(Mutex::new(Box::new(output))));
        let incoming = LocalBroker::new();
        let (sender, ends) = mpsc::channel(4);
        let reader = Reader { incoming: incoming.clone(), output: output.clone(), hello, ends: sender };
        let session = StdioSession { ends, output: output.clone(), shutdown_id: None };
        // Never joined: it may wait for input that does not come while the process ends.
        let spawned = std::thread::Builder::new().name("stdin".to_owned()).spawn({
            let reader = reader.clone();
            move || reader.run(input)
        });
        if let Err(error) = spawned {
            reader.end(SessionEnd::InputFailed { reason: format!("no thread to read it: {error}") }, None);
        }
        (Self { incoming, output }, session)
    }
}

#[async_trait]
impl Broker for StdioBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        check_topic(&event.topic)?;
        self.output.write(&carry("broker.publish", &event))
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.incoming.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        let question = self.incoming.ask();
        self.publish(Event::request(topic, source, question.reply_to(), body)).await?;
        question.answer(topic, timeout).await
    }
}

impl StdioSession {
    /// Waits until the bridge ends.
    pub async fn ended(&mut self) -> SessionEnd {
        match self.ends.recv().await {
            Some((end, id)) => {
                self.shutdown_id = id.or(self.shutdown_id.take());
                end
            }
            None => SessionEnd::InputClosed,
        }
    }

    /// Tells the daemon that everything is finished and the process is about to exit.
    ///
    /// # Errors
    /// [`BrokerError::Closed`] where the daemon is gone; nobody needs the answer then.
    pub fn acknowledge(&mut self) -> Result<(), BrokerError> {
        match self.shutdown_id.take() {
            Some(id) => self.output.write(&result(&id, &json!({"ok": true}))),
            None => Ok(()),
        }
    }
}

/// The thread that reads the daemon's lines.
#[derive(Clone)]
struct Reader {
    incoming: LocalBroker,
    output: Output,
    hello: Hello,
    ends: mpsc::Sender<(SessionEnd, Option<Value>)>,
}

impl Reader {
    fn run(self, mut input: impl Read) {
        let mut framer = LineFramer::new(MAX_LINE);
        let mut chunk = vec![0; CHUNK];
        let end = loop {
            match input.read(&mut chunk) {
                Ok(0) => break SessionEnd::InputClosed,
                Ok(length) => framer.push(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A socket's way to say that the other side is gone.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break SessionEnd::InputClosed,
                Err(error) => break SessionEnd::InputFailed { reason: error.to_string() },
            }
            while let Some(line) = framer.next_line() {
                match line {
                    Ok(line) => self.take(line),
                    Err(error) => warn(&format!("{error}; it was skipped")),
                }
            }
        };
        self.end(end, None);
        self.incoming.close();
    }

    fn take(&self, line: &str) {
        match Frame::read(line) {
            Some(FrameKind::Notification { method, params }) if method == "broker.event" => match Carried::read(params)
            {
                Some(event) => {
                    if let Err(error) = self.incoming.publish_now(event) {
                        warn(&format!("an event was dropped: {error}"));
                    }
                }
                None => warn("a malformed `broker.event` was dropped"),
            },
            Some(FrameKind::Request { id, method, params }) => self.answer(id, &method, params.map_or("", |p| p.get())),
            // Other notifications belong to other parts of a daemon.
            Some(FrameKind::Notification { .. } | FrameKind::Response { .. }) => {}
            None => warn("a line that is not JSON-RPC was skipped"),
        }
    }

    fn answer(&self, id: Value, method: &str, params: &str) {
        let answer = match method {
            "initialize" => {
                let plugin = &self.hello.manifest.plugin;
                result(&id, &json!({"manifest": {"plugin": plugin}, "server_version": self.hello.server_version}))
            }
            "shutdown" => {
                let params: Value = serde_json::from_str(params).unwrap_or_default();
                let reason = params.get("reason").and_then(Value::as_str).unwrap_or("not said").to_owned();
                self.end(SessionEnd::Shutdown { reason }, Some(id));
                return;
            }
            other => refusal(&id, -32601, &format!("method `{other}` is not known to this plugin")),
        };
        // Where the daemon is gone, stdin ends next.
        let _ = self.output.write(&answer);
    }

    /// Whoever serves may be gone already; then nobody needs to know.
    fn end(&self, end: SessionEnd, shutdown_id: Option<Value>) {
        let _ = self.ends.try_send((end, shutdown_id));
    }
}

/// Tells the operator through stderr, which the daemon keeps as the plugin's log: an author's binary has no subscriber
/// for `tracing`.
fn warn(what: &str) {
    // Where stderr is closed nobody listens.
    let _ = writeln!(std::io::stderr(), "from the daemon: {what}");
}
