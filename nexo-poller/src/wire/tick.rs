use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{RpcError, decode_cursor, encode_cursor};
use crate::contract::{PollContext, PollerError, TickAck, TickMetrics, describe_decode_error};

/// The order to run one tick: what a [`TickRequest`] holds once it is read.
#[derive(Clone, PartialEq)]
pub struct TickOrder {
    /// The kind that is asked for.
    pub kind: String,
    /// The job.
    pub job_id: String,
    /// The agent that owns it.
    pub agent_id: String,
    /// Where to resume.
    pub cursor: Option<Vec<u8>>,
    /// The job's config.
    pub config: Value,
    /// The tick's time.
    pub now: DateTime<Utc>,
    /// How long until the schedule's next slot.
    pub interval_hint: Duration,
}

/// The parameters of `poll_tick` as they travel.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TickRequest {
    /// The kind that is asked for.
    pub kind: String,
    /// The job.
    pub job_id: String,
    /// The agent that owns it.
    #[serde(default)]
    pub agent_id: String,
    /// URL-safe base64; null or absent on the first run.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The job's config.
    #[serde(default)]
    pub config: Value,
    /// RFC 3339.
    #[serde(default = "Utc::now")]
    pub now: DateTime<Utc>,
    /// Seconds until the schedule's next slot.
    #[serde(default)]
    pub interval_hint_secs: f64,
}

impl TickOrder {
    /// Reads a request body: `{"method": "poll_tick", "params": {…}}`, or the `params` object alone.
    ///
    /// # Errors
    /// [`RpcError`] with the protocol's code for what is wrong.
    pub fn read(body: &Value) -> Result<Self, RpcError> {
        let refuse = |code, message: String| RpcError { code, message, retry_after: None };
        match body.get("method").map(|method| method.as_str().unwrap_or_default()) {
            None | Some("poll_tick") => {}
            Some(other) => return Err(refuse(-32601, format!("method `{other}` is not known; only `poll_tick` is"))),
        }
        let params = body.get("params").unwrap_or(body);
        let request: TickRequest = serde_path_to_error::deserialize(params).map_err(|error| {
            refuse(-32600, format!("malformed poll_tick parameters: {}", describe_decode_error(&error, params)))
        })?;
        let cursor = request.cursor.as_deref().map(decode_cursor).transpose().map_err(|error| {
            let job = &request.job_id;
            refuse(-32002, format!("job `{job}`: {error}; start over with `nexo-poller reset {job}`"))
        })?;
        Ok(Self {
            kind: request.kind,
            job_id: request.job_id,
            agent_id: request.agent_id,
            cursor,
            config: request.config,
            now: request.now,
            interval_hint: Duration::try_from_secs_f64(request.interval_hint_secs).unwrap_or_default(),
        })
    }
}

impl TickRequest {
    /// The request body for one tick.
    #[must_use]
    pub fn body(ctx: &PollContext) -> Value {
        json!({"method": "poll_tick", "params": {
            "kind": ctx.kind,
            "job_id": ctx.job_id,
            "agent_id": ctx.agent_id,
            "cursor": ctx.cursor.as_deref().map(encode_cursor),
            "config": ctx.config,
            "now": ctx.now.to_rfc3339(),
            "interval_hint_secs": ctx.interval_hint.as_secs(),
        }})
    }
}

/// The result of `poll_tick` as it travels; each field is optional.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TickReply {
    /// URL-safe base64. Absent or null keeps the old cursor, empty resets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// When to come back, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_interval_secs: Option<f64>,
    /// Item counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<TickMetrics>,
}

impl TickReply {
    /// The body that answers a tick. `repeated` also puts the result's fields beside `result`, where published daemons
    /// read them.
    #[must_use]
    pub fn body(outcome: &Result<TickAck, PollerError>, repeated: bool) -> Value {
        let ack = match outcome {
            Ok(ack) => ack,
            Err(error) => return super::error_body(&RpcError::from(error)),
        };
        let mut result = serde_json::Map::new();
        if let Some(cursor) = &ack.next_cursor {
            result.insert("next_cursor".to_owned(), Value::String(encode_cursor(cursor)));
        }
        if let Some(hint) = ack.next_interval_hint {
            // Whole seconds on the wire, and never zero for a hint that was not.
            let secs = hint.as_secs() + u64::from(hint.subsec_nanos() > 0);
            result.insert("next_interval_secs".to_owned(), secs.into());
        }
        if let Some(metrics) = ack.metrics {
            let counts = json!({"items_seen": metrics.items_seen, "items_dispatched": metrics.items_dispatched});
            result.insert("metrics".to_owned(), counts);
        }
        let mut body = if repeated { result.clone() } else { serde_json::Map::new() };
        body.insert("result".to_owned(), Value::Object(result));
        Value::Object(body)
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
        let malformed = |what: String| PollerError::transient(format!("malformed answer to a tick: {what}"));
        let result = match body.get("result") {
            Some(Value::Null) | None => body,
            Some(result) => result,
        };
        if !result.is_object() {
            return Err(malformed("neither `result` nor `error` is an object".to_owned()));
        }
        // Some other JSON must not count as a tick that went well: its events would be passed over for good.
        if !Self::is_one(body) {
            return Err(malformed("it has neither `result` nor `error`".to_owned()));
        }
        let next_cursor = match result.get("next_cursor") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(decode_cursor(text).map_err(|error| malformed(error.to_string()))?),
            Some(_) => return Err(malformed("`next_cursor` is not a string".to_owned())),
        };
        // The publishes are out. What is beside the cursor is not worth making them again.
        let next_interval_hint = result.get("next_interval_secs").and_then(Value::as_f64);
        let next_interval_hint = next_interval_hint.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
        let metrics = result.get("metrics").and_then(|metrics| TickMetrics::deserialize(metrics).ok());
        Ok(TickAck { next_cursor, next_interval_hint, metrics })
    }
}
