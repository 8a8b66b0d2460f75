use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::broker::Delivery;
use crate::wire::{Event, TooDeep, error_for, open_native, topics};

/// The next message of `subscriber`.
pub(in crate::broker) async fn next_delivery(subscriber: &mut Subscriber) -> Option<Delivery> {
    Some(delivery(subscriber.next().await?))
}

/// One message, wrapped in an event or bare.
pub(super) fn delivery(message: Message) -> Delivery {
    let Ok(value) = serde_json::from_slice::<Value>(&message.payload) else {
        return too_deep(&message).unwrap_or_else(|| {
            let event = Event::new(message.subject.to_string(), String::new(), Value::Null);
            let bare_reply = message.reply.map(|reply| reply.to_string());
            Delivery { bare_reply, not_json: true, ..Delivery::from(event) }
        });
    };
    let reply = message.reply.map(|reply| reply.to_string());
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

/// A message that nests too deep to be read, where somebody waits for an answer to it or for itself: as the error that says so.
fn too_deep(message: &Message) -> Option<Delivery> {
    let text = std::str::from_utf8(&message.payload).ok()?;
    let topic = message.subject.to_string();
    let reply = message.reply.as_ref().map(ToString::to_string);
    match TooDeep::read(text) {
        Some(TooDeep { mut event, asks }) if asks || topics::is_inbox(&topic) => {
            event.topic = topic;
            Some(Delivery { native_reply: reply, ..Delivery::from(event) })
        }
        _ => {
            let (error, bare_reply) = (error_for(text)?, Some(reply?));
            Some(Delivery { bare_reply, ..Delivery::from(Event::new(topic, String::new(), error)) })
        }
    }
}
