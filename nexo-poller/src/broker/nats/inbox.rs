use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use crate::wire::{random_id, topics};

/// Where one connection's answers arrive: one subscription for all of them, told apart by the last segment, which nobody
/// can guess.
#[derive(Clone)]
pub(super) struct Inbox {
    prefix: Arc<str>,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Arrival>>>>,
}

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
async fn deliver(mut answers: Subscriber, waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Arrival>>>>) {
    while let Some(message) = answers.next().await {
        let waits = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(message.subject.as_str());
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
