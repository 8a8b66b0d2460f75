use std::time::Duration;

use serde_json::{Value, json};

use super::envelope::is_message;
use super::{code, secs};
use crate::contract::{HostError, PollerError};

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
#[non_exhaustive]
pub struct RpcError {
    /// The code; see [`ErrorClass::from_code`](crate::contract::ErrorClass::from_code).
    pub code: i64,
    /// The message.
    pub message: String,
    /// `data.retry_after_secs`.
    pub retry_after: Option<Duration>,
}

impl RpcError {
    /// An error without a word on when to come back.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// An error object from `error`, a JSON-RPC error value of any shape.
    #[must_use]
    pub fn read(error: &Value) -> Self {
        let message = match error.get("message") {
            Some(Value::String(text)) => text.clone(),
            _ => error.as_str().unwrap_or("an error without a message").to_owned(),
        };
        let retry_after = error.pointer("/data/retry_after_secs").and_then(Value::as_f64);
        Self {
            code: error.get("code").and_then(Value::as_i64).unwrap_or(code::INTERNAL_ERROR),
            message,
            retry_after: retry_after.and_then(secs::read),
        }
    }

    /// The error that came in place of the `request`, where whoever brought it could not read it: it says why.
    #[must_use]
    pub(crate) fn in_place_of(request: &Value) -> Option<Self> {
        request.get("error").filter(|error| !error.is_null()).map(Self::read)
    }

    /// The error object as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self.retry_after {
            None => json!({"code": self.code, "message": self.message}),
            Some(after) => json!({
                "code": self.code,
                "message": self.message,
                "data": {"retry_after_secs": secs::at_least(after)},
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

/// The longest text that is taken for an id, in bytes.
const MAX_ID: usize = 1024;

/// `answer`, under the id of the `request` where that has one: a client of JSON-RPC 2.0 takes no other. An id is a number, or text of up
/// to 1,024 bytes.
#[must_use]
pub fn answer_to(request: &Value, mut answer: Value) -> Value {
    let id = request.get("id").filter(|id| id.is_number() || id.as_str().is_some_and(|text| text.len() <= MAX_ID));
    if let (Some(id), Some(fields)) = (id, answer.as_object_mut()) {
        fields.insert("id".to_owned(), id.clone());
        if let Some(version) = request.get("jsonrpc").filter(|version| *version == "2.0") {
            fields.insert("jsonrpc".to_owned(), version.clone());
        }
    }
    answer
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
