use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{CursorEncodingError, RpcError, decode_cursor, encode_cursor, error_body, secs};
use crate::contract::{PollerError, TickAck, TickMetrics};

/// The result of `poll_tick` as it travels; each field is optional.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TickReply {
    /// URL-safe base64. Absent or null keeps the old cursor, empty resets it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_cursor")]
    pub next_cursor: Option<String>,
    /// When to come back, once; whole seconds on the wire, and never zero for a hint that was not.
    #[serde(
        default,
        rename = "next_interval_secs",
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_hint",
        deserialize_with = "read_hint"
    )]
    pub next_interval_hint: Option<Duration>,
    /// Item counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_metrics")]
    pub metrics: Option<TickMetrics>,
}

/// The body that carries a result.
#[derive(Serialize)]
struct Answer<'r> {
    result: &'r TickReply,
    #[serde(flatten)]
    repeated: Option<&'r TickReply>,
}

impl From<&TickAck> for TickReply {
    fn from(ack: &TickAck) -> Self {
        Self {
            next_cursor: ack.next_cursor.as_deref().map(encode_cursor),
            next_interval_hint: ack.next_interval_hint,
            metrics: ack.metrics,
        }
    }
}

impl TryFrom<TickReply> for TickAck {
    type Error = CursorEncodingError;

    fn try_from(reply: TickReply) -> Result<Self, CursorEncodingError> {
        let next_cursor = reply.next_cursor.as_deref().map(decode_cursor).transpose()?;
        Ok(Self { next_cursor, next_interval_hint: reply.next_interval_hint, metrics: reply.metrics })
    }
}

impl TickReply {
    /// The body that answers a tick. `repeated` also puts the result's fields beside `result`, where published daemons
    /// read them, and keeps a [failure](Self::failure) from looking like a result to them.
    #[must_use]
    pub fn body(outcome: &Result<TickAck, PollerError>, repeated: bool) -> Value {
        match outcome {
            Ok(ack) => {
                let result = &Self::from(ack);
                json!(Answer { result, repeated: repeated.then_some(result) })
            }
            Err(error) => Self::failure(&RpcError::from(error), repeated),
        }
    }

    /// The body that says that a tick has failed. `repeated` puts the message beside `error` as well, as text where published
    /// daemons want numbers: they know no `error`, would read the rest as a result without fields, and count the tick as done.
    /// So they cannot read it, and take the tick for a transient failure whose reason quotes the message.
    #[must_use]
    pub fn failure(error: &RpcError, repeated: bool) -> Value {
        let mut body = error_body(error);
        if repeated {
            body["metrics"] = Value::String(error.message.clone());
        }
        body
    }

    /// Whether `body` answers a tick at all: it has `result` or `error`, or one of a result's fields.
    #[must_use]
    pub fn is_one(body: &Value) -> bool {
        const FIELDS: [&str; 5] = ["result", "error", "next_cursor", "next_interval_secs", "metrics"];
        body.get("method").is_none() && FIELDS.iter().any(|field| body.get(field).is_some())
    }

    /// Reads the body that answers a tick: `result`, `error`, or the result's fields at the top level. A hint or metrics
    /// that cannot be read count as absent; a cursor that cannot be read is an error.
    ///
    /// # Errors
    /// The [`PollerError`] that the answer carries, or a transient one where it is malformed.
    pub fn read(body: &Value) -> Result<TickAck, PollerError> {
        if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
            return Err(RpcError::read(error).into());
        }
        let malformed =
            |what: &dyn std::fmt::Display| PollerError::transient(format!("malformed answer to a tick: {what}"));
        let result = match body.get("result") {
            Some(Value::Null) | None => body,
            Some(result) => result,
        };
        if !result.is_object() {
            return Err(malformed(&"neither `result` nor `error` is an object"));
        }
        // Some other JSON must not count as a tick that went well: its events would be passed over for good.
        if !Self::is_one(body) {
            return Err(malformed(&"it has neither `result` nor `error`"));
        }
        let reply = Self::deserialize(result).map_err(|error| malformed(&error))?;
        TickAck::try_from(reply).map_err(|error| malformed(&error))
    }
}

fn read_cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        // Without quoting it: a cursor may hold what a person has written.
        _ => Err(D::Error::custom("`next_cursor` is not a string")),
    }
}

fn write_hint<S: Serializer>(hint: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    hint.map(secs::at_least).serialize(serializer)
}

/// The publishes are out. What is beside the cursor is not worth making them again.
fn read_hint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_f64().and_then(secs::read))
}

fn read_metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TickMetrics>, D::Error> {
    Ok(TickMetrics::deserialize(Value::deserialize(deserializer)?).ok())
}
