use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::forward::{Forward, Forwarded};
use super::from_child::{FromChild, Listening, Rules};
use super::handshake::handshake;
use super::inboxes::{Owed, Questions};
use super::lines::Lines;
use super::methods::{SHUTDOWN, Shutdown};
use super::observer::BridgeObserver;
use super::options::ParentOptions;
use super::outgoing::Outgoing;
use super::parent_error::{CloseReason, StdioError};
use super::rpc::{refusal, request};
use crate::broker::Broker;
use crate::manifest::{Manifest, PluginRights};
use crate::wire::{Event, code, open_request};

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
        let (outgoing, _) = Outgoing::start(writer, closing.clone());
        let mut lines = Lines::new(reader, options.max_line);
        let manifest = handshake(&mut lines, &outgoing, &options).await?;

        let plugin: Arc<str> = manifest.plugin.id.as_str().into();
        let answers = Arc::new(Answers::default());
        let rights = Arc::new(PluginRights::of(&manifest.plugin, &options.grants));
        let (questions, owed) = (Arc::new(Questions::new()), Arc::new(Owed::default()));
        let mut tasks = JoinSet::new();
        // Copies of one plugin share its ticks; everything else is heard by each.
        let ticks = rights.ticks().map(|topic| (topic, Some(&*plugin)));
        let heard = ticks.into_iter().chain(rights.subscribe().iter().map(|pattern| (pattern.as_str(), None)));
        let heard = heard.map(|(pattern, group)| {
            let what = Forwarded::Heard { rights: Arc::clone(&rights), owed: Arc::clone(&owed) };
            (pattern.to_owned(), group, what)
        });
        let own_answers = (questions.pattern(), None, Forwarded::Answers(Arc::clone(&questions)));
        let cancels = rights.cancels().map(|topic| (topic.to_owned(), None, Forwarded::Cancels));
        for (pattern, group, what) in heard.chain([own_answers]).chain(cancels) {
            let forward = Forward {
                subscription: broker.subscribe(&pattern, group).await?,
                outgoing: outgoing.clone(),
                what,
                broker: Arc::clone(&broker),
                plugin: Arc::clone(&plugin),
                observer: Arc::clone(&options.observer),
            };
            tasks.spawn(forward.run());
        }
        let observer = options.observer;
        let rules =
            Rules { plugin: Arc::clone(&plugin), rights, owed, observer: Arc::clone(&observer), one_tick: false };
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
    questions: Arc<Questions>,
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

    async fn publish(&self, mut event: Event) {
        if let (_, Some(reply_to)) = open_request(&event.payload)
            && let Some(wanted) = event.payload.get_mut("reply_to")
        {
            *wanted = self.questions.ask(&reply_to.topic).into();
        }
        if let Err(error) = self.broker.publish(event).await {
            self.observer.lost(&self.plugin, &error.to_string());
        }
    }
}
