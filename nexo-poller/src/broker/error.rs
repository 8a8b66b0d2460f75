use std::time::Duration;

use crate::contract::{HostError, PatternError, code};

/// Why a broker did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A topic or a pattern that is none.
    #[error(transparent)]
    Topic(#[from] PatternError),
    /// A message cannot be published on a pattern.
    #[error("`{topic}` has a wildcard: messages are published on plain topics")]
    WildcardTopic {
        /// As given.
        topic: String,
    },
    /// Nobody listens on the topic.
    #[error("nobody listens on `{topic}`")]
    NoResponders {
        /// The topic.
        topic: String,
    },
    /// Somebody who listens on the topic has no room for the message.
    #[error("the subscriber on `{topic}` is too far behind: its queue is full")]
    QueueFull {
        /// The topic.
        topic: String,
    },
    /// Nobody answered in time.
    #[error("no answer on `{topic}` within {} ms", after.as_millis())]
    Timeout {
        /// The topic.
        topic: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The other side is gone.
    #[error("the broker is closed: {reason}")]
    Closed {
        /// Why.
        reason: String,
    },
    /// The broker cannot be used as it was set up: a wrong address, a password that is not taken.
    #[error("{reason}")]
    Setup {
        /// What is wrong, without secrets.
        reason: String,
    },
    /// The server does not let us.
    #[error("the server refuses `{topic}`: {reason}")]
    Refused {
        /// The topic.
        topic: String,
        /// The server's words.
        reason: String,
    },
    /// The daemon takes nothing from a process that runs one tick but its answer.
    #[error(
        "the daemon closed stdin after its request, so it takes nothing but the answer: under this daemon a poller that publishes \
         or asks must be `lifecycle = \"long_lived\"`"
    )]
    AnswerOnly,
    /// The message is larger than the transport carries.
    #[error("a message of {size} bytes on `{topic}` is over the limit of {limit} bytes")]
    TooLarge {
        /// The topic.
        topic: String,
        /// The message's size.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl BrokerError {
    /// What this means to a tick that made `call`.
    #[must_use]
    pub fn to_host_error(&self, call: &str) -> HostError {
        match self {
            Self::Timeout { after, .. } => HostError::Timeout { call: call.to_owned(), after: *after },
            Self::Topic(_) | Self::WildcardTopic { .. } | Self::Refused { .. } | Self::AnswerOnly => {
                HostError::Rejected { call: call.to_owned(), code: code::PERMANENT, message: self.to_string() }
            }
            Self::TooLarge { topic, .. } => HostError::payload(topic, self.to_string()),
            Self::NoResponders { .. } | Self::QueueFull { .. } | Self::Closed { .. } | Self::Setup { .. } => {
                HostError::unavailable(self.to_string())
            }
        }
    }
}
