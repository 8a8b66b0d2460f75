use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::methods::EVENT;
use super::observer::BridgeObserver;
use super::outgoing::Outgoing;
use super::rpc::carry;
use crate::broker::{Broker, Delivery, Subscription};
use crate::wire::{Event, RpcError, TickReply, answer_to, code};

/// From the broker to the child: one subscription of its manifest.
pub(super) struct Forward {
    pub(super) subscription: Subscription,
    pub(super) outgoing: Outgoing,
    /// Where set, only what arrives on one of these topics is forwarded, once.
    pub(super) only: Option<Arc<Mutex<HashSet<String>>>>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) plugin: Arc<str>,
    pub(super) observer: Arc<dyn BridgeObserver>,
}

impl Forward {
    pub(super) async fn run(mut self) {
        while let Some(delivery) = self.subscription.next().await {
            if let Some(questions) = &self.only
                && !questions.lock().unwrap_or_else(PoisonError::into_inner).remove(&delivery.event.topic)
            {
                continue;
            }
            let line = if delivery.event.is_readable() {
                carry(EVENT, &delivery.event)
            } else {
                let mut event = Event::clone(&delivery.event);
                event.make_readable();
                carry(EVENT, &event)
            };
            if self.outgoing.send(line).is_err() {
                self.observer.not_reading(&self.plugin, &delivery.event.topic);
                self.refuse(&delivery).await;
            }
        }
    }

    /// A request that cannot be handed over is answered for the plugin, so that nobody waits for its deadline.
    async fn refuse(&self, delivery: &Delivery) {
        if let (asked, Some(reply_to)) = delivery.request() {
            let message = format!("plugin `{}` does not read its stdin: its queue is full", self.plugin);
            let refused = TickReply::failure(&RpcError::new(code::TRANSIENT, message), !reply_to.bare);
            let body = answer_to(asked, refused);
            // Where the broker is closed nobody waits any more.
            let _ = self.broker.respond(&reply_to, &self.plugin, body).await;
        }
    }
}
