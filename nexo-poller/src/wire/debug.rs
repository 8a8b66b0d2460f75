//! How what travels is shown: a config, a cursor or a payload may hold a secret, and what is shown ends up in logs.

use std::fmt;

use super::{Event, HostCall, HostRequest, Message, Publisher, TickOrder, TickReply, TickRequest};

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .field("topic", &self.topic)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("topic", &self.topic)
            .field("reply_to", &self.reply_to)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCall")
            .field("method", &self.method)
            .field("agent_id", &self.agent_id)
            .field("job_id", &self.job_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HostRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRequest").field("method", &self.method()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Publisher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("tick", &self.tick).field("source", &self.source).finish_non_exhaustive()
    }
}

impl fmt::Debug for TickOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickOrder")
            .field("kind", &self.kind)
            .field("job_id", &self.job_id)
            .field("agent_id", &self.agent_id)
            .field("cursor_bytes", &self.cursor.as_ref().map(Vec::len))
            .field("now", &self.now)
            .field("interval_hint", &self.interval_hint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TickRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickRequest")
            .field("kind", &self.kind)
            .field("job_id", &self.job_id)
            .field("agent_id", &self.agent_id)
            .field("now", &self.now)
            .field("interval_hint", &self.interval_hint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TickReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickReply")
            .field("next_interval_hint", &self.next_interval_hint)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde_json::json;

    use super::*;
    use crate::contract::TickIdentity;
    use crate::wire::{SentIds, encode_cursor};

    fn shown(value: impl Debug) {
        let shown = format!("{value:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        // A cursor is bytes, or their base64.
        assert!(!shown.contains("104, 117") && !shown.contains(&encode_cursor(b"hunter2")), "{shown}");
    }

    #[test]
    fn what_travels_shows_no_config_no_cursor_and_no_payload() {
        let body = json!({"method": "poll_tick", "params": {
            "kind": "jira", "job_id": "j", "cursor": encode_cursor(b"hunter2"), "config": {"token": "hunter2"},
        }});
        shown(TickOrder::read(&body).unwrap());
        shown(serde_json::from_value::<TickRequest>(body["params"].clone()).unwrap());
        shown(serde_json::from_value::<TickReply>(json!({"next_cursor": encode_cursor(b"hunter2")})).unwrap());
        shown(Event::new("a.b", "daemon", json!("hunter2")));
        shown(serde_json::from_value::<Message>(json!({"payload": "hunter2"})).unwrap());
        shown(HostCall::read(&json!({"method": "log", "params": {"message": "hunter2"}})).unwrap());
        let sent = SentIds::new();
        let tick = TickIdentity::new("jira", "j", "ana").with_cursor(Some(b"hunter2".as_slice()));
        shown(Publisher { tick: &tick, source: "jira", sent: &sent });
    }
}
