use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::broker::Delivery;
use crate::wire::{Event, open_native};

/// The next message of `subscriber`. What is no JSON is left out: no protocol of ours sends it.
pub(in crate::broker) async fn next_delivery(subscriber: &mut Subscriber) -> Option<Delivery> {
    loop {
        if let Some(delivery) = delivery(subscriber.next().await?) {
            return Some(delivery);
        }
    }
}

/// One message, wrapped in an event or bare.
pub(super) fn delivery(message: Message) -> Option<Delivery> {
    let Ok(value) = serde_json::from_slice::<Value>(&message.payload) else {
        tracing::debug!(topic = message.subject.as_str(), "a message that is not JSON was left out");
        return None;
    };
    let reply = message.reply.map(|reply| reply.to_string());
    Some(match open_native(value) {
        Ok(mut event) => {
            // Where it arrived is where it was published, whatever it says.
            event.topic = message.subject.to_string();
            Delivery { native_reply: reply, ..Delivery::from(event) }
        }
        Err(body) => Delivery {
            bare_reply: reply,
            ..Delivery::from(Event::new(message.subject.to_string(), String::new(), body))
        },
    })
}
