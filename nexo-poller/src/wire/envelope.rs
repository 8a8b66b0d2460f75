use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::id::{id_of_text, is_id};
use super::random_id;

/// What every broker message is: one JSON object around a payload.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// A UUID. Equal ids mean the same message, published again by a tick that was repeated.
    #[serde(default, deserialize_with = "lenient_id")]
    pub id: String,
    /// When it was made.
    #[serde(default = "Utc::now", deserialize_with = "lenient_timestamp")]
    pub timestamp: DateTime<Utc>,
    /// The topic it was published on.
    #[serde(default)]
    pub topic: String,
    /// Who published it: a plugin's id, or `daemon`.
    #[serde(default)]
    pub source: String,
    /// A UUID. Unused by pollers; carried for others.
    #[serde(default, deserialize_with = "lenient_session")]
    pub session_id: Option<String>,
    /// Any JSON.
    #[serde(default)]
    pub payload: Value,
}

/// The payload of an event that asks for an answer, or gives one: [`Event::request`] and [`Event::answer`] make it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// A UUID.
    #[serde(default)]
    pub id: String,
    /// The topic it was published on.
    #[serde(default)]
    pub topic: String,
    /// Where the answer goes; absent in answers.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// A JSON-RPC body.
    #[serde(default)]
    pub payload: Value,
}

/// Where an answer goes, and in which shape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyTo {
    /// The topic.
    pub topic: String,
    /// The request was not wrapped in an event, so the answer is the JSON-RPC body alone.
    pub bare: bool,
}

impl ReplyTo {
    /// An answer on `topic`; where it is `bare`, the JSON-RPC body alone.
    pub fn new(topic: impl Into<String>, bare: bool) -> Self {
        Self { topic: topic.into(), bare }
    }
}

impl Event {
    /// A new event with a random id and the machine's time.
    #[must_use]
    pub fn new(topic: impl Into<String>, source: impl Into<String>, payload: Value) -> Self {
        Self::with_id(random_id(), topic, source, payload)
    }

    /// A new event with an id of the caller's, for content that may be published twice.
    #[must_use]
    pub fn with_id(id: impl Into<String>, topic: impl Into<String>, source: impl Into<String>, payload: Value) -> Self {
        Self {
            id: id.into(),
            timestamp: Utc::now(),
            topic: topic.into(),
            source: source.into(),
            session_id: None,
            payload,
        }
    }

    /// An event that asks: its payload is a [`Message`] around `body`, to be answered on `reply_to`.
    #[must_use]
    pub fn request(topic: &str, source: &str, reply_to: &str, body: Value) -> Self {
        Self::new(topic, source, message(topic, Some(reply_to), body))
    }

    /// An event that answers: its payload is a [`Message`] around `body`.
    #[must_use]
    pub fn answer(reply_to: &str, source: &str, body: Value) -> Self {
        Self::new(reply_to, source, message(reply_to, None, body))
    }

    /// Whether other programs can read it: published ones drop an event whose id or session is no UUID.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        is_id(&self.id) && self.session_id.as_deref().is_none_or(is_id)
    }

    /// Makes what came from a program of any kind readable for others. An id that is no UUID becomes one, the same each time; a missing
    /// one becomes a random one; a session that is no UUID is none.
    pub fn make_readable(&mut self) {
        if !is_id(&self.id) {
            self.id = id_of_text(&self.source, &self.id);
        }
        self.session_id.take_if(|session| !is_id(session));
    }
}

/// A [`Message`] as JSON, without the detour over its type.
fn message(topic: &str, reply_to: Option<&str>, body: Value) -> Value {
    let mut fields = serde_json::Map::new();
    fields.insert("id".to_owned(), Value::String(random_id()));
    fields.insert("topic".to_owned(), Value::String(topic.to_owned()));
    fields.insert("reply_to".to_owned(), reply_to.map_or(Value::Null, |to| Value::String(to.to_owned())));
    fields.insert("payload".to_owned(), body);
    Value::Object(fields)
}

/// The body of a request and where its answer goes. A payload that is not a [`Message`] is itself the body, and
/// nobody waits for an answer.
#[must_use]
pub fn open_request(payload: &Value) -> (&Value, Option<ReplyTo>) {
    let reply_to = payload.get("reply_to").and_then(Value::as_str).filter(|topic| !topic.is_empty());
    match (payload.get("payload"), reply_to) {
        (Some(body), reply_to) if is_message(payload) => {
            (body, reply_to.map(|topic| ReplyTo { topic: topic.to_owned(), bare: false }))
        }
        _ => (payload, None),
    }
}

/// What a message is on a transport where anybody may write: an event, or else the JSON-RPC body itself.
///
/// # Errors
/// The value, where it is no event.
pub fn open_native(value: Value) -> Result<Event, Value> {
    let is_body = ["method", "params", "result", "error", "kind"].iter().any(|key| value.get(key).is_some());
    if is_body || value.get("payload").is_none() {
        return Err(value);
    }
    if value.get("reply_to").is_some() {
        // A message without its event.
        return Ok(Event::new(String::new(), String::new(), value));
    }
    let Value::Object(mut fields) = value else { return Err(value) };
    // Taken out, not copied: a payload may be large.
    let payload = fields.remove("payload").unwrap_or_default();
    match Event::deserialize(&Value::Object(fields)) {
        Ok(event) => Ok(Event { payload, ..event }),
        // Odd types where text should stand: the message counts, not its wrapping.
        Err(_) => Ok(Event::new(String::new(), String::new(), payload)),
    }
}

/// Whether a payload is a [`Message`] around a JSON-RPC body rather than that body itself.
pub(super) fn is_message(payload: &Value) -> bool {
    payload.get("payload").is_some_and(Value::is_object)
        && ["method", "params", "result", "error"].iter().all(|key| payload.get(key).is_none())
}

/// A timestamp that cannot be read is no reason to lose a message: it is then the time of arrival.
fn lenient_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(Utc::now))
}

/// An id that is not text is the text of it; null is none.
fn lenient_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// No message is lost for a session that is not text.
fn lenient_session<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn readable(fields: Value) -> Event {
        let mut event: Event = serde_json::from_value(fields).unwrap();
        event.make_readable();
        assert!(event.is_readable(), "{event:?}");
        event
    }

    #[test]
    fn an_id_that_is_no_uuid_becomes_the_same_one_each_time_and_one_that_is_stays() {
        let id = |id: Value| readable(json!({"id": id, "source": "jira", "payload": 1})).id;
        let own = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert_eq!(id(json!(own)), own);
        // Downstream remembers it: no release may change one.
        assert_eq!(id(json!("issue-7")), "2655052b-a0d5-5c59-900b-247a44f8dd9e");
        assert_eq!(id(json!("7")), id(json!(7)));
        assert_ne!(id(json!("7")), id(json!("8")));
        let others = readable(json!({"id": "7", "source": "rss", "payload": 1})).id;
        assert_ne!(id(json!("7")), others, "two plugins that count from 1 do not lose each other's messages");
        for missing in [json!(""), json!(null)] {
            assert_ne!(id(missing.clone()), id(missing), "two messages without an id are two messages");
        }
    }

    #[test]
    fn a_session_that_is_no_uuid_is_none() {
        let session = |session: Value| readable(json!({"session_id": session, "payload": 1})).session_id;
        let own = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert_eq!(session(json!(own)).as_deref(), Some(own));
        for odd in [json!("today"), json!(""), json!(7), json!({"a": 1}), json!(null)] {
            assert_eq!(session(odd), None);
        }
    }
}
