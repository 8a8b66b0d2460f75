use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexo_poller::broker::{Broker, BrokerError, LocalBroker, Subscription};
use nexo_poller::wire::{Event, topics};
use serde_json::Value;

use super::console::Console;
use crate::telemetry::undelivered::Undelivered;

/// The daemon's broker. Alone, it prints what goes to the console, and notices messages to channels that nobody listens to. Where many machines share a
/// broker, everything that is not between this daemon and the plugins that it has started goes there.
pub(crate) struct OutboundBroker {
    inner: LocalBroker,
    undelivered: Arc<Undelivered>,
    console: Arc<Console>,
    world: Option<Arc<dyn Broker>>,
}

impl OutboundBroker {
    pub(crate) fn new(inner: LocalBroker, undelivered: Arc<Undelivered>, console: Arc<Console>) -> Self {
        Self { inner, undelivered, console, world: None }
    }

    /// Shares what is not this machine's own on `world`.
    #[must_use]
    pub(crate) fn with_world(mut self, world: Option<Arc<dyn Broker>>) -> Self {
        self.world = world;
        self
    }

    /// The broker of many machines, where `topic` is one that they share.
    fn world_of(&self, topic: &str) -> Option<&Arc<dyn Broker>> {
        // Ticks, calls and answers of a plugin that this daemon has started never leave it: another daemon's copy would
        // get them, and this one's supervisor would watch the wrong process.
        self.world.as_ref().filter(|_| !topics::is_protocol(topic))
    }
}

#[async_trait]
impl Broker for OutboundBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        if topics::is_reserved(&event.topic) && !topics::is_protocol(&event.topic) {
            // Whoever publishes here is a tick. It would have the daemon's rights on the server.
            let reason = "it is the server's own, or between daemons".to_owned();
            return Err(BrokerError::Refused { topic: event.topic, reason });
        }
        if let Some(world) = self.world_of(&event.topic) {
            return world.publish(event).await;
        }
        if Console::has(&event.topic) {
            self.inner.publish(event.clone()).await?;
            return self.console.print(&event).await;
        }
        if topics::is_outbound(&event.topic) && !self.inner.has_listeners(&event.topic) {
            self.undelivered.note(&event.topic);
        }
        self.inner.publish(event).await
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        match self.world_of(pattern) {
            Some(world) => world.subscribe(pattern, queue_group).await,
            None => self.inner.subscribe(pattern, queue_group).await,
        }
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
        let (local, undelivered) = (LocalBroker::new(), Arc::new(Undelivered::default()));
        let broker = OutboundBroker::new(local.clone(), Arc::clone(&undelivered), Arc::new(Console::start().unwrap()));
        let _heard = local.subscribe("plugin.outbound.slack.>", None).await.unwrap();
        for topic in [
            "plugin.outbound.slack.a",
            "plugin.outbound.console.a",
            "plugin.outbound.telegram.a",
            "plugin.poller.x.tick",
        ] {
            broker.publish(Event::new(topic, "t", json!({}))).await.unwrap();
        }
        assert_eq!(undelivered.count(), 1);
    }

    #[tokio::test]
    async fn what_is_between_this_daemon_and_its_plugins_stays_here_and_an_account_may_be_called_tick() {
        let (local, world) = (LocalBroker::new(), LocalBroker::new());
        let broker = OutboundBroker::new(local, Arc::default(), Arc::new(Console::start().unwrap()))
            .with_world(Some(Arc::new(world.clone())));
        let mut heard = world.subscribe(">", None).await.unwrap();
        for topic in ["plugin.poller.x.tick", "daemon.rpc.x", "_inbox.x.1", "plugin.outbound.slack.tick"] {
            broker.publish(Event::new(topic, "t", json!({}))).await.unwrap();
        }
        assert_eq!(heard.next().await.unwrap().event.topic, "plugin.outbound.slack.tick");
    }

    #[tokio::test]
    async fn what_daemons_alone_may_say_does_not_go_out_with_the_daemons_rights() {
        let world = LocalBroker::new();
        let broker = OutboundBroker::new(LocalBroker::new(), Arc::default(), Arc::new(Console::start().unwrap()))
            .with_world(Some(Arc::new(world.clone())));
        let mut heard = world.subscribe(">", None).await.unwrap();
        for topic in ["$KV.pollers.job", "$JS.API.INFO", "daemon.members.x", "daemon.relay.x", "_INBOX.x"] {
            let refused = broker.publish(Event::new(topic, "t", json!({}))).await;
            assert!(matches!(refused, Err(BrokerError::Refused { .. })), "{topic}: {refused:?}");
        }
        broker.publish(Event::new("news.item", "t", json!({}))).await.unwrap();
        assert_eq!(heard.next().await.unwrap().event.topic, "news.item");
    }
}
