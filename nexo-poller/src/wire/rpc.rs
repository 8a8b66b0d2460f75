use std::time::Duration;

use serde_json::{Value, json};

use super::envelope::is_message;
use crate::contract::{HostError, PollerError};

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// The code; see [`ErrorClass::from_code`](crate::contract::ErrorClass::from_code).
    pub code: i64,
    /// The message.
    pub message: String,
    /// `data.retry_after_secs`.
    pub retry_after: Option<Duration>,
}

impl RpcError {
    /// An error object from `error`, a JSON-RPC error value of any shape.
    #[must_use]
    pub fn read(error: &Value) -> Self {
        let message = match error.get("message") {
            Some(Value::String(text)) => text.clone(),
            _ => error.as_str().unwrap_or("an error without a message").to_owned(),
        };
        let retry_after = error.pointer("/data/retry_after_secs").and_then(Value::as_f64);
        Self {
            code: error.get("code").and_then(Value::as_i64).unwrap_or(-32603),
            message,
            retry_after: retry_after.and_then(|secs| Duration::try_from_secs_f64(secs).ok()),
        }
    }

    /// The error object as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self.retry_after {
            None => json!({"code": self.code, "message": self.message}),
            Some(after) => json!({
                "code": self.code,
                "message": self.message,
                // Whole seconds, rounded up: coming back early is what the other side asked us not to do.
                "data": {"retry_after_secs": after.as_secs() + u64::from(after.subsec_nanos() > 0)},
            }),
        }
    }
}

impl From<&PollerError> for RpcError {
    fn from(error: &PollerError) -> Self {
        Self { code: error.code(), message: error.to_string(), retry_after: error.retry_after() }
    }
}

impl From<RpcError> for PollerError {
    fn from(error: RpcError) -> Self {
        Self::from_code(error.code, error.message, error.retry_after)
    }
}

impl From<&HostError> for RpcError {
    fn from(error: &HostError) -> Self {
        let retry_after = match error {
            HostError::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        };
        Self { code: error.class().code(), message: error.to_string(), retry_after }
    }
}

/// `{"result": …}`.
#[must_use]
pub fn result_body(result: Value) -> Value {
    Value::Object([("result".to_owned(), result)].into_iter().collect())
}

/// `{"error": {…}}`.
#[must_use]
pub fn error_body(error: &RpcError) -> Value {
    json!({ "error": error.to_value() })
}

/// The JSON-RPC body of an answer's payload, in either of the shapes in the field: wrapped in a
/// [`Message`](super::Message), or bare.
#[must_use]
pub fn open_answer(payload: Value) -> Value {
    if !is_message(&payload) {
        return payload;
    }
    match payload {
        Value::Object(mut fields) => fields.remove("payload").unwrap_or(Value::Null),
        other => other,
    }
}

/// One reverse call: what a plugin asks of the daemon, in the name of a job.
#[derive(Clone, PartialEq)]
pub struct HostCall {
    /// `credentials_get`, `log`, `metric_inc` or `llm_invoke`.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// The agent that the caller says it acts for.
    pub agent_id: String,
    /// The job that the caller says it acts for.
    pub job_id: String,
}

impl HostCall {
    /// Reads a request body.
    ///
    /// # Errors
    /// [`RpcError`] with -32600 where there is no method.
    pub fn read(body: &Value) -> Result<Self, RpcError> {
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let method = text("method");
        if method.is_empty() {
            return Err(RpcError {
                code: -32600,
                message: "a request without a `method`".to_owned(),
                retry_after: None,
            });
        }
        let params = body.get("params").cloned().unwrap_or(Value::Null);
        Ok(Self { method, params, agent_id: text("agent_id"), job_id: text("job_id") })
    }

    /// The request body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"method": self.method, "params": self.params, "agent_id": self.agent_id, "job_id": self.job_id})
    }
}
