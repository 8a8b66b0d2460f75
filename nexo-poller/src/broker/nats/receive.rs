use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::broker::Delivery;
use crate::wire::{Event, open_native};

/// The next message of `subscriber`.
pub(in crate::broker) async fn next_delivery(subscriber: &mut Subscriber) -> Option<Delivery> {
    Some(delivery(subscriber.next().await?))
}

/// One message, wrapped in an event or bare.
pub(super) fn delivery(message: Message) -> Delivery {
    let reply = message.reply.map(|reply| reply.to_string());
    let Ok(value) = serde_json::from_slice::<Value>(&message.payload) else {
        let event = Event::new(message.subject.to_string(), String::new(), Value::Null);
        return Delivery { bare_reply: reply, not_json: true, ..Delivery::from(event) };
    };
    match open_native(value) {
        Ok(mut event) => {
            // Where it arrived is where it was published, whatever it says.
            event.topic = message.subject.to_string();
            Delivery { native_reply: reply, ..Delivery::from(event) }
        }
        Err(body) => Delivery {
            bare_reply: reply,
            ..Delivery::from(Event::new(message.subject.to_string(), String::new(), body))
        },
    }
}
