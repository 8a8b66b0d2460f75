use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::random_id;

/// What every broker message is: one JSON object around a payload.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// A UUID. Equal ids mean the same message, published again by a tick that was repeated.
    #[serde(default)]
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
    /// Unused by pollers; carried for others.
    #[serde(default)]
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
