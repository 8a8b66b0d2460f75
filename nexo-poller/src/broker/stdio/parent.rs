use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::forward::Forward;
use super::from_child::{FromChild, Listening, Rules};
use super::handshake::handshake;
use super::lines::Lines;
use super::methods::{SHUTDOWN, Shutdown};
use super::observer::BridgeObserver;
use super::options::ParentOptions;
use super::outgoing::Outgoing;
use super::parent_error::{CloseReason, StdioError};
use super::rpc::{refusal, request};
use crate::broker::Broker;
use crate::manifest::Manifest;
use crate::wire::{Event, code, topics};

/// Questions of one plugin that may be open at once; answers to older ones are no longer forwarded.
const MAX_OPEN_QUESTIONS: usize = 65_536;

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
        let (allowed, observer) = (capability.publish.clone(), options.observer);
        let rules = Rules { plugin: Arc::clone(&plugin), allowed, observer: Arc::clone(&observer), one_tick: false };
        let listening = Listening::new(lines, rules);
        let (outgoing_too, answers_too) = (outgoing.clone(), Arc::clone(&answers));
        let incoming = Incoming { broker, outgoing: outgoing_too, plugin, questions, answers: answers_too, observer };
        tasks.spawn(async move {
            let reason = incoming.run(listening).await;
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
        if self.outgoing.send(request(&id, SHUTDOWN, &Shutdown { reason: reason.into() })).is_err() {
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
    questions: Arc<Mutex<HashSet<String>>>,
    answers: Arc<Answers>,
    observer: Arc<dyn BridgeObserver>,
}

impl Incoming {
    async fn run<R: AsyncRead + Unpin>(&self, mut listening: Listening<R>) -> CloseReason {
        while let Ok(Some(said)) = listening.next().await {
            match said {
                FromChild::Publish(event) => self.publish(event).await,
                FromChild::Response { id } => {
                    let mut answers = self.answers.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(at) = answers.iter().position(|(waiting, _)| *waiting == id) {
                        // Whoever asked may have stopped waiting.
                        let _ = answers.swap_remove(at).1.send(());
                    }
                }
                FromChild::Request { id, method } => {
                    let message =
                        format!("method `{method}` is not known; calls to the daemon go over its broker topic");
                    let _ = self.outgoing.send(refusal(&id, code::METHOD_NOT_FOUND, &message));
                }
                // Only a child that runs one tick says this.
                FromChild::Answer(_) => {}
            }
        }
        CloseReason::OutputClosed
    }

    async fn publish(&self, event: Event) {
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
