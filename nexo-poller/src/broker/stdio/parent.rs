use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::forward::Forward;
use super::frame::{DEFAULT_MAX_LINE, FrameError};
use super::handshake::{Lines, describe, handshake};
use super::outgoing::Outgoing;
use super::rpc::{Carried, Frame, FrameKind, refusal, request};
use super::{CloseReason, StdioError};
use crate::broker::Broker;
use crate::contract::matches;
use crate::manifest::Manifest;
use crate::wire::{Event, code, open_request, topics};

/// Questions of one plugin that may be open at once; answers to older ones are no longer forwarded.
const MAX_OPEN_QUESTIONS: usize = 65_536;

/// How the daemon treats the child on the other end.
#[derive(Clone)]
#[non_exhaustive]
pub struct ParentOptions {
    /// What the child is called until it has said who it is.
    pub label: String,
    /// The manifest that the child was found by, where there is one. It is what the operator has seen, so it is what is
    /// in force: the child must be the same plugin, and may ask for no topic beyond it.
    pub found: Option<Manifest>,
    /// The daemon's version, told in the handshake.
    pub nexo_version: String,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// The longest line that is accepted from the child.
    pub max_line: usize,
    /// Told of everything that the child does wrong.
    pub observer: Arc<dyn BridgeObserver>,
}

impl fmt::Debug for ParentOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentOptions")
            .field("label", &self.label)
            .field("nexo_version", &self.nexo_version)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("max_line", &self.max_line)
            .finish_non_exhaustive()
    }
}

impl Default for ParentOptions {
    fn default() -> Self {
        Self {
            label: "plugin".to_owned(),
            found: None,
            nexo_version: env!("CARGO_PKG_VERSION").to_owned(),
            handshake_timeout: Duration::from_secs(10),
            max_line: DEFAULT_MAX_LINE,
            observer: Arc::new(()),
        }
    }
}

/// Told of what a plugin does wrong; each is survived.
pub trait BridgeObserver: Send + Sync + 'static {
    /// A line of its stdout was no protocol: garbage, too long, not text. `what` never quotes it.
    fn bad_line(&self, plugin: &str, what: &str) {
        let _ = (plugin, what);
    }

    /// It published outside its allowlist; the message was dropped.
    fn not_allowed(&self, plugin: &str, topic: &str, allowed: &[String]) {
        let _ = (plugin, topic, allowed);
    }

    /// It does not read its stdin; a message for it was dropped.
    fn not_reading(&self, plugin: &str, topic: &str) {
        let _ = (plugin, topic);
    }

    /// What it published has not gone out. `why` is a sentence on the message. A tick that has published it has not done
    /// its work, whatever it answers.
    fn lost(&self, plugin: &str, why: &str) {
        let _ = (plugin, why);
    }
}

impl BridgeObserver for () {}

/// The daemon's end of the stdio bridge: as long as it lives, the child is a part of `broker`.
#[derive(Debug)]
pub struct StdioParent {
    outgoing: Outgoing,
    closed: watch::Receiver<Option<CloseReason>>,
    answers: Arc<Answers>,
    _tasks: JoinSet<()>,
}

/// Requests of the daemon to the child, by id.
#[derive(Debug, Default)]
struct Answers(Mutex<Vec<(Value, oneshot::Sender<()>)>>);

impl StdioParent {
    /// Shakes hands with a child over its pipes and makes it a part of `broker`. Returns the manifest that is in force,
    /// validated.
    ///
    /// # Errors
    /// [`StdioError`], each a sentence that continues "plugin `x`: …".
    pub async fn connect(
        reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Unpin + Send + 'static,
        broker: Arc<dyn Broker>,
        options: ParentOptions,
    ) -> Result<(Self, Manifest), StdioError> {
        let (closing, closed) = watch::channel(None);
        let outgoing = Outgoing::start(writer, closing.clone());
        let mut lines = Lines::new(reader, options.max_line);
        let manifest = handshake(&mut lines, &outgoing, &options).await?;

        let plugin: Arc<str> = manifest.plugin.id.as_str().into();
        let answers = Arc::new(Answers::default());
        let questions = Arc::new(Mutex::new(HashSet::new()));
        let mut tasks = JoinSet::new();
        let capability = &manifest.plugin.capabilities.broker;
        let tick_topic = manifest.plugin.poller.as_ref().map(crate::manifest::PollerSection::tick_topic);
        for pattern in &capability.subscribe {
            // Copies of one plugin share its ticks; everything else is heard by each.
            let group = (tick_topic.as_ref() == Some(pattern)).then_some(&*plugin);
            let forward = Forward {
                subscription: broker.subscribe(pattern, group).await?,
                outgoing: outgoing.clone(),
                // Only answers to the plugin's own questions: others' inboxes are not its business.
                only: topics::is_inbox(pattern).then(|| Arc::clone(&questions)),
                broker: Arc::clone(&broker),
                plugin: Arc::clone(&plugin),
                observer: Arc::clone(&options.observer),
            };
            tasks.spawn(forward.run());
        }
        let incoming = Incoming {
            broker,
            outgoing: outgoing.clone(),
            plugin,
            allowed: capability.publish.clone(),
            questions,
            answers: Arc::clone(&answers),
            observer: options.observer,
        };
        tasks.spawn(async move {
            let reason = incoming.run(lines).await;
            closing.send_if_modified(|known| known.is_none().then(|| *known = Some(reason)).is_some());
        });
        Ok((Self { outgoing, closed, answers, _tasks: tasks }, manifest))
    }

    /// Waits until the child has closed its side.
    pub async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(CloseReason::OutputClosed),
            Err(_) => CloseReason::OutputClosed,
        }
    }

    /// Asks the child to finish and waits up to `grace` for it to say that it has. Whether it did.
    pub async fn shutdown(&self, reason: &str, grace: Duration) -> bool {
        let id = json!("shutdown");
        let (sender, acknowledged) = oneshot::channel();
        self.answers.0.lock().unwrap_or_else(PoisonError::into_inner).push((id.clone(), sender));
        if self.outgoing.send(request(&id, "shutdown", &json!({"reason": reason}))).is_err() {
            return false;
        }
        tokio::select! {
            answer = tokio::time::timeout(grace, acknowledged) => matches!(answer, Ok(Ok(()))),
            _ = self.closed() => false,
        }
    }
}

/// From the child to the broker.
struct Incoming {
    broker: Arc<dyn Broker>,
    outgoing: Outgoing,
    plugin: Arc<str>,
    allowed: Vec<String>,
    questions: Arc<Mutex<HashSet<String>>>,
    answers: Arc<Answers>,
    observer: Arc<dyn BridgeObserver>,
}

impl Incoming {
    async fn run<R: AsyncRead + Unpin>(&self, mut lines: Lines<R>) -> CloseReason {
        loop {
            while let Some(line) = lines.framer.next_line() {
                let publish = match line {
                    Ok(line) => self.read(line),
                    Err(error) => {
                        self.observer.bad_line(&self.plugin, &error.to_string());
                        if let FrameError::TooLong { object: true, .. } = error {
                            self.observer.lost(&self.plugin, &error.to_string());
                        }
                        None
                    }
                };
                if let Some(event) = publish {
                    self.publish(event).await;
                }
            }
            if !lines.fill().await.unwrap_or(false) {
                return CloseReason::OutputClosed;
            }
        }
    }

    /// Handles one line; what is to be published is handed back.
    fn read(&self, line: &str) -> Option<Event> {
        match Frame::read(line) {
            Some(FrameKind::Notification { method, params }) if method == "broker.publish" => {
                let event = Carried::read(params);
                if event.is_none() {
                    self.observer.bad_line(&self.plugin, "a malformed `broker.publish`");
                    self.observer.lost(&self.plugin, "a `broker.publish` is malformed");
                }
                return event;
            }
            Some(FrameKind::Response { id, .. }) => {
                let mut answers = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(at) = answers.iter().position(|(waiting, _)| *waiting == id) {
                    // Whoever asked may have stopped waiting.
                    let _ = answers.swap_remove(at).1.send(());
                }
            }
            Some(FrameKind::Request { id, method, .. }) => {
                let message = format!("method `{method}` is not known; calls to the daemon go over its broker topic");
                let _ = self.outgoing.send(refusal(&id, code::METHOD_NOT_FOUND, &message));
            }
            Some(FrameKind::Notification { .. }) => {}
            None => self.observer.bad_line(&self.plugin, &describe(None)),
        }
        None
    }

    async fn publish(&self, mut event: Event) {
        if let Some(topic) = forbidden(&event, &self.allowed) {
            self.observer.not_allowed(&self.plugin, topic, &self.allowed);
            self.observer.lost(&self.plugin, &not_allowed(topic, &self.allowed));
            return;
        }
        // Nobody publishes in another's name.
        self.plugin.as_ref().clone_into(&mut event.source);
        if let Some(reply_to) = event.payload.get("reply_to").and_then(Value::as_str) {
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            if questions.len() >= MAX_OPEN_QUESTIONS {
                questions.clear();
            }
            questions.insert(reply_to.to_owned());
        }
        if let Err(error) = self.broker.publish(event).await {
            self.observer.lost(&self.plugin, &error.to_string());
        }
    }
}

/// Why a message on `topic` was dropped.
pub(crate) fn not_allowed(topic: &str, allowed: &[String]) -> String {
    format!("`{topic}` is outside the manifest's publish list [{}]", allowed.join(", "))
}

/// The topic that `event` may not reach, if there is one: its own, or the one that it wants to be answered on, where
/// somebody else would publish in the plugin's stead.
pub(crate) fn forbidden<'e>(event: &'e Event, allowed: &[String]) -> Option<&'e str> {
    let may = |topic: &str| allowed.iter().any(|pattern| matches(pattern, topic));
    if !may(&event.topic) {
        return Some(&event.topic);
    }
    // Only a request is answered; a field of that name in any other payload is the author's own.
    open_request(&event.payload).1?;
    let reply_to = event.payload.get("reply_to").and_then(Value::as_str)?;
    (!topics::is_inbox(reply_to) && !may(reply_to)).then_some(reply_to)
}
