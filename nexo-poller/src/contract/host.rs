use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{HostError, LlmInvokeRequest, LlmInvokeResponse};

/// The world as a poller sees it. The daemon implements it in-process and over a broker; tests use a mock.
#[async_trait]
pub trait PollerHost: Send + Sync + 'static {
    /// Publishes one JSON `payload` on `topic`. When it returns `Ok` the host has taken the message, and the next that
    /// is the same is another one, with an id of its own; after an error it is the same one, tried again.
    ///
    /// # Errors
    /// [`HostError::NotAllowed`] outside the manifest's `publish` list, [`HostError::Payload`] where the bytes are not
    /// JSON, [`HostError::Unavailable`] or [`HostError::Timeout`] where the broker cannot be reached.
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError>;

    /// The owning agent's account on `channel`, as `{"channel", "agent_id", "account_id", …}`.
    ///
    /// # Errors
    /// [`HostError::CredentialsMissing`] where the agent has no account on that channel.
    async fn credentials_get(&self, channel: String) -> Result<Value, HostError>;

    /// Writes one line to the daemon's log.
    ///
    /// # Errors
    /// [`HostError::Unavailable`] or [`HostError::Timeout`] where the daemon cannot be reached.
    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError>;

    /// Adds one to a counter in the daemon's metrics.
    ///
    /// # Errors
    /// [`HostError::Unavailable`] or [`HostError::Timeout`] where the daemon cannot be reached.
    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError>;

    /// One turn of a language model, on the owning agent's account.
    ///
    /// # Errors
    /// [`HostError::Rejected`] where the daemon knows no such provider, [`HostError::RateLimited`] where it is over a
    /// limit.
    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError>;

    /// The `account_id` of the owning agent's account on `channel`: where a message to it goes. `None` where the account has
    /// none. Whoever runs a tick remembers the answer until the tick ends, so that a tick with a hundred messages asks once;
    /// [`credentials_get`](Self::credentials_get) itself is asked each time.
    ///
    /// # Errors
    /// As [`credentials_get`](Self::credentials_get).
    async fn account_id(&self, channel: String) -> Result<Option<String>, HostError> {
        let account = self.credentials_get(channel).await?;
        Ok(account.get("account_id").and_then(Value::as_str).map(str::to_owned))
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the author, while looking for a fault.
    Trace,
    /// For the author.
    Debug,
    /// For the operator: worth knowing.
    Info,
    /// For the operator: look at it this week.
    Warn,
    /// For the operator: look at it now.
    Error,
}

impl LogLevel {
    /// The level's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trace" => Ok(Self::Trace),
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(UnknownLogLevel),
        }
    }
}

/// A log level that is none of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log level is one of trace, debug, info, warn, error")]
pub struct UnknownLogLevel;
