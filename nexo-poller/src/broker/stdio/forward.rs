use std::sync::Arc;

use super::inboxes::{Owed, Questions};
use super::methods::{CANCEL, EVENT};
use super::observer::BridgeObserver;
use super::outgoing::Outgoing;
use super::rpc::carry;
use crate::broker::{Broker, Delivery, Subscription};
use crate::contract::check_topic;
use crate::manifest::PluginRights;
use crate::wire::{Event, RpcError, TickReply, answer_to, code, topics};

/// From the broker to the child: one subscription of it.
pub(super) struct Forward {
    pub(super) subscription: Subscription,
    pub(super) outgoing: Outgoing,
    pub(super) what: Forwarded,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) plugin: Arc<str>,
    pub(super) observer: Arc<dyn BridgeObserver>,
}

/// What a subscription brings.
pub(super) enum Forwarded {
    /// What the plugin may hear; it may answer what of it is a question.
    Heard {
        /// A pattern matches more than the plugin may hear.
        rights: Arc<PluginRights>,
        /// Who then waits for an answer of it.
        owed: Arc<Owed>,
    },
    /// Answers to the plugin's own questions.
    Answers(Arc<Questions>),
    /// Ticks of it that are to end. Not as events: no manifest names their topic, and a plugin that is sent an event which it has not
    /// asked for may take it for a tick.
    Cancels,
}

impl Forward {
    pub(super) async fn run(mut self) {
        while let Some(delivery) = self.subscription.next().await {
            match &self.what {
                Forwarded::Heard { rights, .. } if !rights.may_hear(&delivery.event.topic) => {}
                Forwarded::Heard { owed, .. } => {
                    if let (_, Some(reply_to)) = delivery.request()
                        && topics::is_inbox(&reply_to.topic)
                        && check_topic(&reply_to.topic).is_ok()
                    {
                        owed.add(reply_to.topic);
                    }
                    if self.hand_over(&delivery.event).is_err() {
                        self.refuse(&delivery).await;
                    }
                }
                Forwarded::Answers(questions) => {
                    let Some(wanted) = questions.answered(&delivery.event.topic) else { continue };
                    // Told already.
                    let _ = self.hand_over(&as_wanted(Arc::unwrap_or_clone(delivery.event), wanted));
                }
                // One that does not read has more to do than to end.
                Forwarded::Cancels => {
                    let _ = self.outgoing.send(carry(CANCEL, &delivery.event));
                }
            }
        }
    }

    fn hand_over(&self, event: &Event) -> Result<(), super::outgoing::NotReading> {
        let line = if event.is_readable() {
            carry(EVENT, event)
        } else {
            let mut event = event.clone();
            event.make_readable();
            carry(EVENT, &event)
        };
        let sent = self.outgoing.send(line);
        if sent.is_err() {
            self.observer.not_reading(&self.plugin, &event.topic);
        }
        sent
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

/// An answer on the topic that the plugin has asked for, inside and out.
fn as_wanted(mut event: Event, wanted: String) -> Event {
    if let Some(topic) = event.payload.get_mut("topic").filter(|topic| topic.as_str() == Some(&event.topic)) {
        *topic = wanted.as_str().into();
    }
    event.topic = wanted;
    event
}
