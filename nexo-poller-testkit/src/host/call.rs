use std::fmt;

use nexo_poller::contract::{LogLevel, matches};
use serde_json::Value;

/// One message that a poller published and the host took.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// The topic.
    pub topic: String,
    /// The payload, decoded.
    pub payload: Value,
    /// The event id, derived as the daemon derives it: a repeated tick repeats it.
    pub id: String,
    /// The job whose tick published it.
    pub job_id: String,
}

impl Published {
    pub(super) fn is_on(&self, pattern: &str) -> bool {
        matches(pattern, &self.topic)
    }
}

/// `plugin.outbound.telegram.bot  {"text":"hello","to":"1"}`: how a failed assertion lists it.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.topic, self.payload)
    }
}

/// One line that a poller logged.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// The fields.
    pub fields: Value,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<5} {}  {}", self.level.as_str(), self.message, self.fields)
    }
}

/// One increment of a counter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricIncrement {
    /// The counter's name.
    pub name: String,
    /// Its labels.
    pub labels: Value,
}

/// The five calls of a [`PollerHost`](nexo_poller::contract::PollerHost).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `broker_publish`.
    Publish,
    /// `credentials_get`.
    Credentials,
    /// `log`.
    Log,
    /// `metric_inc`.
    Metric,
    /// `llm_invoke`.
    Llm,
}

impl Method {
    /// The method's name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "broker_publish",
            Self::Credentials => "credentials_get",
            Self::Log => "log",
            Self::Metric => "metric_inc",
            Self::Llm => "llm_invoke",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
