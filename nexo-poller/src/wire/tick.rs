use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{RpcError, code, decode_cursor, encode_cursor, secs};
use crate::contract::{PollContext, describe_decode_error};

/// The one method that a plugin answers.
const METHOD: &str = "poll_tick";

/// The order to run one tick: what a [`TickRequest`] holds once it is read.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct TickRequest<'t> {
    /// The kind that is asked for.
    pub kind: Cow<'t, str>,
    /// The job.
    pub job_id: Cow<'t, str>,
    /// The agent that owns it.
    #[serde(default)]
    pub agent_id: Cow<'t, str>,
    /// URL-safe base64; null or absent on the first run.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The job's config.
    #[serde(default)]
    pub config: Cow<'t, Value>,
    /// RFC 3339.
    #[serde(default = "Utc::now", serialize_with = "write_time")]
    pub now: DateTime<Utc>,
    /// How long until the schedule's next slot; whole seconds on the wire.
    #[serde(default, rename = "interval_hint_secs", serialize_with = "write_hint", deserialize_with = "read_hint")]
    pub interval_hint: Duration,
}

impl<'t> TickRequest<'t> {
    /// What is asked for the tick of `ctx`.
    #[must_use]
    pub fn of(ctx: &'t PollContext) -> Self {
        Self {
            kind: ctx.kind.into(),
            job_id: ctx.job_id.as_str().into(),
            agent_id: ctx.agent_id.as_str().into(),
            cursor: ctx.cursor.as_deref().map(encode_cursor),
            config: Cow::Borrowed(&ctx.config),
            now: ctx.now,
            interval_hint: ctx.interval_hint,
        }
    }

    /// The request body for the tick of `ctx`.
    #[must_use]
    pub fn body(ctx: &PollContext) -> Value {
        TickRequest::of(ctx).to_value()
    }

    /// The request body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"method": METHOD, "params": self})
    }
}

impl TickRequest<'static> {
    /// Reads a request body: `{"method": "poll_tick", "params": {…}}`, or the `params` object alone.
    ///
    /// # Errors
    /// [`RpcError`] with the protocol's code for what is wrong.
    pub fn read(body: &Value) -> Result<Self, RpcError> {
        match body.get("method").map(|method| method.as_str().unwrap_or_default()) {
            None | Some(METHOD) => {}
            Some(other) => {
                let message = format!("method `{other}` is not known; only `{METHOD}` is");
                return Err(RpcError::new(code::METHOD_NOT_FOUND, message));
            }
        }
        let params = body.get("params").unwrap_or(body);
        serde_path_to_error::deserialize(params).map_err(|error| {
            let what = describe_decode_error(&error, params);
            RpcError::new(code::INVALID_REQUEST, format!("malformed {METHOD} parameters: {what}"))
        })
    }
}

impl TickOrder {
    /// Reads a request body, and the cursor in it.
    ///
    /// # Errors
    /// [`RpcError`] with the protocol's code for what is wrong.
    pub fn read(body: &Value) -> Result<Self, RpcError> {
        let request = TickRequest::read(body)?;
        let cursor = request.cursor.as_deref().map(decode_cursor).transpose().map_err(|error| {
            let job = &request.job_id;
            let message = format!("job `{job}`: {error}; reset the job to start over");
            RpcError::new(code::PERMANENT, message)
        })?;
        Ok(Self {
            kind: request.kind.into_owned(),
            job_id: request.job_id.into_owned(),
            agent_id: request.agent_id.into_owned(),
            cursor,
            config: request.config.into_owned(),
            now: request.now,
            interval_hint: request.interval_hint,
        })
    }
}

/// With `+00:00`, as published daemons write it.
fn write_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339())
}

fn write_hint<S: Serializer>(hint: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(hint.as_secs())
}

/// A number that is no duration says nothing.
fn read_hint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Ok(secs::read(f64::deserialize(deserializer)?).unwrap_or_default())
}
