use std::sync::Arc;

use serde_json::Value;

use crate::wire::{Event, ReplyTo, RpcError, code, open_request};

/// One message as a subscriber gets it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The message.
    pub event: Arc<Event>,
    /// Set where the message arrived as a bare request: its payload is the body, and the answer goes here.
    pub bare_reply: Option<String>,
    /// Where the transport itself wants an answer to go; the message's own word counts first.
    pub native_reply: Option<String>,
    /// The message is not JSON; its payload is null.
    pub not_json: bool,
}

impl Delivery {
    /// Why this message is not a request whatever it may ask, if it is not: it is not JSON, or it nests too deep to be read.
    #[must_use]
    pub fn fault(&self) -> Option<RpcError> {
        if self.not_json {
            return Some(RpcError::new(code::PARSE_ERROR, "the request is not JSON"));
        }
        RpcError::in_place_of(self.request().0)
    }

    /// The JSON-RPC body that this message carries, and where its answer goes.
    #[must_use]
    pub fn request(&self) -> (&Value, Option<ReplyTo>) {
        match &self.bare_reply {
            Some(topic) => (&self.event.payload, Some(ReplyTo { topic: topic.clone(), bare: true })),
            None => {
                let (body, reply_to) = open_request(&self.event.payload);
                let native = || Some(ReplyTo { topic: self.native_reply.clone()?, bare: false });
                (body, reply_to.or_else(native))
            }
        }
    }
}

impl From<Event> for Delivery {
    fn from(event: Event) -> Self {
        Self { event: Arc::new(event), bare_reply: None, native_reply: None, not_json: false }
    }
}
