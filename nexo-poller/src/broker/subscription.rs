use tokio::sync::mpsc;

use super::Delivery;

/// A stream of messages. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    source: Source,
    on_drop: Option<Unsubscribe>,
}

/// Where messages come from.
enum Source {
    Queue(mpsc::Receiver<Delivery>),
    /// Asked without a task between: each would cost a message its wake-up.
    #[cfg(feature = "nats")]
    Nats(async_nats::Subscriber),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
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
        Self { source: Source::Queue(queue), on_drop: Some(Unsubscribe(Box::new(on_drop))) }
    }

    /// The messages of a NATS subscription.
    #[cfg(feature = "nats")]
    pub(super) fn of_nats(subscriber: async_nats::Subscriber) -> Self {
        Self { source: Source::Nats(subscriber), on_drop: None }
    }

    /// The next message; `None` once the broker is closed. What is not JSON is left out: no protocol of ours sends it.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.next_request().await?;
            if !delivery.not_json {
                return Some(delivery);
            }
            tracing::debug!(topic = delivery.event.topic, "a message that is not JSON was left out");
        }
    }

    /// The next message, for whoever answers all requests: also one that is [not JSON](Delivery::fault).
    pub async fn next_request(&mut self) -> Option<Delivery> {
        match &mut self.source {
            Source::Queue(queue) => queue.recv().await,
            #[cfg(feature = "nats")]
            Source::Nats(subscriber) => super::nats::next_delivery(subscriber).await,
        }
    }

    /// Receives nothing new from now on. What has arrived already still comes out of [`next`](Self::next), and then its
    /// end.
    #[cfg_attr(not(feature = "nats"), expect(clippy::unused_async, reason = "some brokers are told over a network"))]
    pub async fn close(&mut self) {
        if let Some(Unsubscribe(unsubscribe)) = self.on_drop.take() {
            unsubscribe();
        }
        match &mut self.source {
            Source::Queue(queue) => queue.close(),
            #[cfg(feature = "nats")]
            Source::Nats(subscriber) => {
                // Where it is closed already, nothing new comes either.
                let _ = subscriber.drain().await;
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(Unsubscribe(unsubscribe)) = self.on_drop.take() {
            unsubscribe();
        }
    }
}
