use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::wire::{Event, ReplyTo, open_request};

/// One message as a subscriber gets it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub event: Arc<Event>,
    /// Set where the message arrived as a bare request: its payload is the body, and the answer goes here.
    pub bare_reply: Option<String>,
}

impl Delivery {
    /// The JSON-RPC body that this message carries, and where its answer goes.
    #[must_use]
    pub fn request(&self) -> (&Value, Option<ReplyTo>) {
        match &self.bare_reply {
            Some(topic) => (&self.event.payload, Some(ReplyTo { topic: topic.clone(), bare: true })),
            None => open_request(&self.event.payload),
        }
    }
}

impl From<Event> for Delivery {
    fn from(event: Event) -> Self {
        Self { event: Arc::new(event), bare_reply: None }
    }
}

/// A stream of messages. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::Receiver<Delivery>,
    on_drop: Option<Unsubscribe>,
}

/// Run when a subscription is dropped.
struct Unsubscribe(Box<dyn FnOnce() + Send + Sync>);

impl std::fmt::Debug for Unsubscribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unsubscribe")
    }
}

impl Subscription {
    /// A subscription fed through the other end of `queue`; `on_drop` tells the broker that nobody listens any more.
    pub fn new(queue: mpsc::Receiver<Delivery>, on_drop: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { queue, on_drop: Some(Unsubscribe(Box::new(on_drop))) }
    }

    /// The next message; `None` once the broker is closed.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.queue.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(Unsubscribe(unsubscribe)) = self.on_drop.take() {
            unsubscribe();
        }
    }
}
