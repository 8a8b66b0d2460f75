use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{RpcError, code};
use crate::contract::{LlmInvokeRequest, LogLevel};

/// One reverse call: what a plugin asks of the daemon, in the name of a job.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct HostCall {
    /// The method; [`HostRequest`] has those that there are.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// The agent that the caller says it acts for.
    pub agent_id: String,
    /// The job that the caller says it acts for.
    pub job_id: String,
}

/// What a plugin asks of the daemon.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum HostRequest {
    /// `credentials_get`.
    CredentialsGet {
        /// The channel.
        channel: String,
        /// The agent whose account it is to be.
        agent_id: String,
    },
    /// `log`.
    Log {
        /// How loud.
        level: LogLevel,
        /// The message.
        message: String,
        /// Any JSON.
        fields: Value,
    },
    /// `metric_inc`.
    MetricInc {
        /// The counter.
        name: String,
        /// Any JSON.
        labels: Value,
    },
    /// `llm_invoke`.
    LlmInvoke(LlmInvokeRequest),
}

impl HostCall {
    /// `request`, in the name of `job_id` of `agent_id`.
    #[must_use]
    pub fn new(request: &HostRequest, agent_id: &str, job_id: &str) -> Self {
        Self {
            method: request.method().to_owned(),
            params: request.params(),
            agent_id: agent_id.to_owned(),
            job_id: job_id.to_owned(),
        }
    }

    /// Reads a request body.
    ///
    /// # Errors
    /// [`RpcError`] with [`code::INVALID_REQUEST`] where there is no method.
    pub fn read(body: &Value) -> Result<Self, RpcError> {
        if let Some(error) = RpcError::in_place_of(body) {
            return Err(error);
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let method = text("method");
        if method.is_empty() {
            return Err(RpcError::new(code::INVALID_REQUEST, "a request without a `method`"));
        }
        let params = body.get("params").cloned().unwrap_or(Value::Null);
        Ok(Self { method, params, agent_id: text("agent_id"), job_id: text("job_id") })
    }

    /// The request body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"method": self.method, "params": self.params, "agent_id": self.agent_id, "job_id": self.job_id})
    }

    /// The agent that the parameters name, which may be another than the caller's.
    #[must_use]
    pub fn named_agent(&self) -> Option<&str> {
        self.params.get("agent_id").and_then(Value::as_str)
    }
}

impl HostRequest {
    const CREDENTIALS_GET: &str = "credentials_get";
    const LOG: &str = "log";
    const METRIC_INC: &str = "metric_inc";
    const LLM_INVOKE: &str = "llm_invoke";
    const METHODS: [&str; 4] = [Self::CREDENTIALS_GET, Self::LOG, Self::METRIC_INC, Self::LLM_INVOKE];

    /// The method's name.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::CredentialsGet { .. } => Self::CREDENTIALS_GET,
            Self::Log { .. } => Self::LOG,
            Self::MetricInc { .. } => Self::METRIC_INC,
            Self::LlmInvoke(_) => Self::LLM_INVOKE,
        }
    }

    /// The method's parameters.
    #[must_use]
    pub fn params(&self) -> Value {
        match self {
            Self::CredentialsGet { channel, agent_id } => json!({"channel": channel, "agent_id": agent_id}),
            Self::Log { level, message, fields } => json!({"level": level, "message": message, "fields": fields}),
            Self::MetricInc { name, labels } => json!({"name": name, "labels": labels}),
            Self::LlmInvoke(request) => json!(request),
        }
    }

    /// Reads what `call` asks for. A level that does not exist is `info`, a message that is not text is shown as JSON: nothing
    /// that somebody wants to be known is lost.
    ///
    /// # Errors
    /// [`RpcError`] with the protocol's code for what is wrong, without quoting it.
    pub fn read(call: HostCall) -> Result<Self, RpcError> {
        let HostCall { method, mut params, .. } = call;
        let malformed = |what: &str| RpcError::new(code::INVALID_PARAMS, format!("`{method}`: {what}"));
        let mut take = |key: &str| params.get_mut(key).map(Value::take).unwrap_or_default();
        match method.as_str() {
            Self::CREDENTIALS_GET => match (take("channel"), take("agent_id")) {
                (Value::String(channel), agent_id) => {
                    Ok(Self::CredentialsGet { channel, agent_id: agent_id.as_str().unwrap_or_default().to_owned() })
                }
                _ => Err(malformed("`channel` must be a string")),
            },
            Self::LOG => Ok(Self::Log {
                level: take("level").as_str().and_then(|level| level.parse().ok()).unwrap_or(LogLevel::Info),
                message: match take("message") {
                    Value::String(message) => message,
                    other => other.to_string(),
                },
                fields: take("fields"),
            }),
            Self::METRIC_INC => match take("name") {
                Value::String(name) => Ok(Self::MetricInc { name, labels: take("labels") }),
                _ => Err(malformed("`name` must be a string")),
            },
            // What is asked of the model may stand in the decoder's message, so it is left out.
            Self::LLM_INVOKE => LlmInvokeRequest::deserialize(params)
                .map(Self::LlmInvoke)
                .map_err(|_| malformed("the parameters are not those of an LLM request")),
            other => {
                let known = Self::METHODS.join(", ");
                let message = format!("method `{other}` is not known; the daemon answers {known}");
                Err(RpcError::new(code::METHOD_NOT_FOUND, message))
            }
        }
    }
}
