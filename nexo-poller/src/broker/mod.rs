//! Brokers carry messages between daemons, plugins and channels: publish, subscribe, request.
//!
//! [`LocalBroker`] works inside one process, [`StdioBroker`](stdio::StdioBroker) connects a plugin to the daemon that started it, and `NatsBroker` (feature `nats`) uses a
//! NATS server. All of them keep the rules of the [`Broker`] trait; `unstable::conformance` is the suite that checks them, for brokers of your own too.

#[cfg(any(test, feature = "unstable"))]
pub(crate) mod conformance;
mod delivery;
mod error;
mod local;
#[cfg(feature = "nats")]
mod nats;
pub mod stdio;
mod subscription;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::wire::{Event, ReplyTo};

pub use self::delivery::Delivery;
pub use self::error::BrokerError;
pub use self::local::{LocalBroker, LocalBrokerOptions};
#[cfg(feature = "nats")]
pub use self::nats::{NatsBroker, NatsOptions};
pub use self::subscription::Subscription;

/// Publish, subscribe, request.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::broker::{Broker, LocalBroker};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = LocalBroker::new();
/// let mut questions = broker.subscribe("greeter.*", Some("greeters")).await?;
/// let answering = broker.clone();
/// tokio::spawn(async move {
///     while let Some(delivery) = questions.next().await {
///         if let (body, Some(reply_to)) = delivery.request() {
///             let answer = json!({"result": format!("hello {}", body["params"])});
///             answering.respond(&reply_to, "greeter", answer).await.ok();
///         }
///     }
/// });
/// let answer = broker.request("greeter.en", "me", json!({"method": "hi", "params": 7}), Duration::from_secs(1)).await?;
/// assert_eq!(answer, json!({"result": "hello 7"}));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Publishes `event` on `event.topic`. `Ok` means that the broker has taken it.
    ///
    /// # Errors
    /// [`BrokerError`] where the topic is no topic, or the broker cannot be reached.
    async fn publish(&self, event: Event) -> Result<(), BrokerError>;

    /// Receives what is published on topics that match `pattern`. Of all subscriptions with the same `queue_group`, one
    /// receives each message.
    ///
    /// # Errors
    /// [`BrokerError`] where the pattern is none, or the broker cannot be reached.
    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError>;

    /// Asks on `topic` in the name of `source` and waits for the answer's JSON-RPC body.
    ///
    /// # Errors
    /// [`BrokerError::NoResponders`] where nobody listens, [`BrokerError::Timeout`] where nobody answers in time.
    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError>;

    /// Answers a request in the name of `source`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    async fn respond(&self, to: &ReplyTo, source: &str, body: Value) -> Result<(), BrokerError> {
        self.publish(Event::answer(&to.topic, source, body)).await
    }
}
