use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::unheard::Unheard;
use crate::broker::{Broker, BrokerError, LocalBroker, Subscription};
use crate::wire::Event;

/// Messages to people and services leave here.
const OUTBOUND: &str = "plugin.outbound.";

/// The daemon's broker, which notices messages to channels that nobody listens to.
pub(super) struct OutboundBroker {
    inner: LocalBroker,
    unheard: Arc<Unheard>,
}

impl OutboundBroker {
    pub(super) fn new(inner: LocalBroker, unheard: Arc<Unheard>) -> Self {
        Self { inner, unheard }
    }
}

#[async_trait]
impl Broker for OutboundBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        if event.topic.starts_with(OUTBOUND) && !self.inner.has_listeners(&event.topic) {
            self.unheard.note(&event.topic);
        }
        self.inner.publish(event).await
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.inner.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        self.inner.request(topic, source, body, timeout).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_message_that_reaches_nobody_is_counted_and_is_no_error() {
        let (local, unheard) = (LocalBroker::new(), Arc::new(Unheard::default()));
        let broker = OutboundBroker::new(local.clone(), Arc::clone(&unheard));
        let _heard = local.subscribe("plugin.outbound.console.>", None).await.unwrap();
        for topic in ["plugin.outbound.console.a", "plugin.outbound.telegram.a", "plugin.poller.x.tick"] {
            broker.publish(Event::new(topic, "t", json!({}))).await.unwrap();
        }
        assert_eq!(unheard.count(), 1);
    }
}
