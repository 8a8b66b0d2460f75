use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::wire::{random_id, topics};

/// Answers that are remembered, so that a second one to the same request is noticed.
const REMEMBERED: usize = 1024;

/// As much of an answer tells it from any other: its id stands at the front.
const FRONT: usize = 128;

/// Sources that are told of, each once.
const MOST_NAMED: usize = 64;

/// Where one connection's answers arrive: one subscription for all of them, told apart by the last segment, which nobody
/// can guess.
#[derive(Clone)]
pub(super) struct Inbox {
    prefix: Arc<str>,
    waiting: Waiting,
}

/// Those who wait, by where their answer goes.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Arrival>>>>;

/// What came back.
pub(super) enum Arrival {
    /// A message.
    Message(Message),
    /// The server knows of nobody who listens.
    NoResponders,
}

/// A place in the inbox; what is dropped leaves nothing behind.
pub(super) struct Place {
    inbox: Inbox,
    subject: String,
    arrival: oneshot::Receiver<Arrival>,
}

impl Inbox {
    /// An inbox below `_inbox.<name>.`, of which nobody else has a part.
    pub(super) async fn open(client: &Client, name: &str) -> Result<Self, async_nats::SubscribeError> {
        let inbox =
            Self { prefix: format!("{}.{}.", topics::inbox(name), random_id()).into(), waiting: Arc::default() };
        let answers = client.subscribe(format!("{}*", inbox.prefix)).await?;
        tokio::spawn(deliver(answers, Arc::clone(&inbox.waiting)));
        Ok(inbox)
    }

    /// A place for one answer.
    pub(super) fn place(&self) -> Place {
        let subject = format!("{}{}", self.prefix, random_id());
        let (sender, arrival) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.clone(), sender);
        Place { inbox: self.clone(), subject, arrival }
    }
}

impl Place {
    /// Where the answer is to be published.
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Waits for the answer; `None` where the connection was closed.
    pub(super) async fn arrival(&mut self) -> Option<Arrival> {
        (&mut self.arrival).await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.subject);
    }
}

/// Hands arrivals to those who wait, until the connection is closed.
async fn deliver(mut answers: Subscriber, waiting: Waiting) {
    let mut known = Known::default();
    while let Some(message) = answers.next().await {
        let waits = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(message.subject.as_str());
        match &waits {
            Some(_) => known.add(&message),
            None => known.notice_another(&message),
        }
        if let Some(waits) = waits {
            let arrival = match message.status {
                Some(StatusCode::NO_RESPONDERS) => Arrival::NoResponders,
                _ => Arrival::Message(message),
            };
            // Whoever asked may have gone.
            let _ = waits.send(arrival);
        }
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The latest answers, and who has given more than one to a request.
#[derive(Default)]
struct Known {
    answers: VecDeque<(String, u64)>,
    named: HashSet<String>,
}

/// Who says it.
#[derive(Deserialize)]
struct Said {
    source: String,
}

impl Known {
    fn add(&mut self, message: &Message) {
        // What a connection sends to itself is empty.
        if message.payload.is_empty() {
            return;
        }
        if self.answers.len() >= REMEMBERED {
            self.answers.pop_front();
        }
        self.answers.push_back((message.subject.to_string(), front_of(message)));
    }

    /// Nobody waits for `message`. Where its request was answered before, by another message, somebody takes requests twice.
    fn notice_another(&mut self, message: &Message) {
        let answered = self.answers.iter().find(|(subject, _)| subject == message.subject.as_str());
        if answered.is_none_or(|(_, front)| *front == front_of(message)) {
            return;
        }
        let Ok(Said { source }) = serde_json::from_slice(&message.payload) else { return };
        // Daemons that share calls may each refuse one.
        if source == "daemon" || self.named.len() >= MOST_NAMED || !self.named.insert(source.clone()) {
            return;
        }
        tracing::warn!(
            source,
            "`{source}` has answered one request twice: several copies of it run, and each runs every tick. Published plugins \
             subscribe without a queue group: run one copy of such a plugin"
        );
    }
}

fn front_of(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.payload.get(..FRONT).unwrap_or(&message.payload).hash(&mut hasher);
    hasher.finish()
}
