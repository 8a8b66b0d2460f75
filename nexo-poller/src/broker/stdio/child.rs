use std::fmt;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answer_too_large;
use super::frame::{DEFAULT_MAX_LINE, LineFramer};
use super::rpc::{Carried, Frame, FrameKind, carry, refusal, result};
use crate::broker::local::check_topic;
use crate::broker::{Broker, BrokerError, LocalBroker, Subscription};
use crate::manifest::Manifest;
use crate::wire::{Event, ReplyTo, code};

/// How much is read from the daemon at once.
const CHUNK: usize = 64 * 1024;

/// A daemon's lines hold configs and cursors: more than it would accept itself.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a plugin answers to `initialize`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hello {
    /// Who the plugin is and what it serves.
    pub manifest: Manifest,
    /// Name and version, as in `jira-0.1.0`.
    pub server_version: String,
}

impl Hello {
    /// Says that the plugin is the one of `manifest`, in this version.
    pub fn new(manifest: Manifest, server_version: impl Into<String>) -> Self {
        Self { manifest, server_version: server_version.into() }
    }
}

/// The plugin's end of the stdio bridge: a [`Broker`] whose other side is the daemon that spawned the plugin.
///
/// A plain thread reads (tokio's stdin would cost a hop between threads for every read); a message is written by whoever
/// publishes it, whole lines at a time.
#[derive(Clone)]
pub struct StdioBroker {
    incoming: LocalBroker,
    output: Output,
}

impl fmt::Debug for StdioBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioBroker").finish_non_exhaustive()
    }
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

/// The way to the daemon: lines wait in one buffer, and whoever writes takes all of them along.
#[derive(Clone)]
struct Output(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    pipe: Mutex<Pipe>,
}

struct Pipe {
    writer: Box<dyn Write + Send>,
    /// Why nothing can be written any more.
    broken: Option<String>,
    /// The buffer that was written last, to be filled again.
    spare: Vec<u8>,
}

/// A buffer that one large message has blown up is not kept.
const KEPT_BUFFER: usize = 64 * 1024;

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    fn new(writer: Box<dyn Write + Send>) -> Self {
        let pipe = Pipe { writer, broken: None, spare: Vec::new() };
        Self(Arc::new(Shared { waiting: Mutex::default(), pipe: Mutex::new(pipe) }))
    }

    /// One line, whole, after everything that was added before.
    fn write(&self, line: &[u8]) -> Result<(), BrokerError> {
        self.add(line);
        self.flush()
    }

    /// Adds a line to what the next [`flush`](Self::flush) writes.
    fn add(&self, line: &[u8]) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
    }

    /// Returns once everything that was added before is written, by this thread or by another.
    fn flush(&self) -> Result<(), BrokerError> {
        let mut pipe = self.0.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = std::mem::take(&mut pipe.spare);
        let mut lines = std::mem::replace(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner), spare);
        if !lines.is_empty() && pipe.broken.is_none() {
            let written = pipe.writer.write_all(&lines).and_then(|()| pipe.writer.flush());
            pipe.broken = written.err().map(|error| error.to_string());
        }
        if lines.capacity() <= KEPT_BUFFER {
            lines.clear();
            pipe.spare = lines;
        }
        match &pipe.broken {
            None => Ok(()),
            Some(error) => Err(BrokerError::Closed { reason: format!("the daemon reads no more: {error}") }),
        }
    }
}

/// Lets the tasks that are ready run first.
async fn after_the_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl StdioBroker {
    /// Starts reading `input` and answers the daemon's handshake with `hello`.
    pub fn start(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        hello: Hello,
    ) -> (Self, StdioSession) {
        let output = Output::new(Box::new(output));
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
        let line = carry("broker.publish", &event);
        // The daemon would skip it, and nobody would know.
        if line.len() > DEFAULT_MAX_LINE {
            return Err(BrokerError::TooLarge { topic: event.topic, size: line.len(), limit: DEFAULT_MAX_LINE });
        }
        self.output.write(&line)
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.incoming.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        let question = self.incoming.ask();
        self.publish(Event::request(topic, source, question.reply_to(), body)).await?;
        question.answer(topic, timeout).await
    }

    /// Answers that are ready together go out in one write.
    async fn respond(&self, to: &ReplyTo, source: &str, body: Value) -> Result<(), BrokerError> {
        check_topic(&to.topic)?;
        let mut line = carry("broker.publish", &Event::answer(&to.topic, source, body));
        if line.len() > DEFAULT_MAX_LINE {
            // The daemon would skip it, and whoever asked would wait for his deadline, again and again.
            line = carry(
                "broker.publish",
                &Event::answer(&to.topic, source, answer_too_large(line.len(), DEFAULT_MAX_LINE)),
            );
        }
        self.output.add(&line);
        after_the_others().await;
        self.output.flush()
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
            other => refusal(&id, code::METHOD_NOT_FOUND, &format!("method `{other}` is not known to this plugin")),
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
