use std::error::Error as StdError;
use std::time::Duration;

use super::{KindError, code};

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Why a tick failed. The variant decides what the runner does next.
///
/// `?` turns a [`HostError`] into the right variant; [`ResultExt`] does it for any other error:
///
/// ```
/// use nexo_poller::prelude::*;
///
/// fn parse(body: &str) -> Result<u32, PollerError> {
///     body.trim().parse::<u32>().permanent("the counter is not a number")
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "the counter is not a number: invalid digit found in string");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollerError {
    /// The job's config is wrong. The job is paused until the operator fixes the YAML.
    #[error("{message}")]
    #[non_exhaustive]
    Config {
        /// Which field, what was expected.
        message: String,
        /// The field alone, as `deliver.channel` or `urls[1]`, for programs; the message says it as well.
        path: Option<String>,
    },
    /// The owning agent has no credentials for a channel. The job is paused until it is resumed.
    #[error("agent has no credentials for channel `{channel}`: {reason}")]
    CredentialsMissing {
        /// The channel that was asked for.
        channel: String,
        /// What the host said.
        reason: String,
    },
    /// It may work later: the job is retried with backoff.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// The source's own word on when to come back; the runner waits at least that long.
        retry_after: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Source>,
    },
    /// It will not work again by itself: the job is paused until it is resumed or reset.
    #[error("{message}")]
    Permanent {
        /// What happened, and what the operator can do.
        message: String,
        /// The cause.
        #[source]
        source: Option<Source>,
    },
}

/// What kind of failure an error is, in the three classes the runner tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Retried with backoff.
    Transient,
    /// Paused until resumed or reset.
    Permanent,
    /// Paused until the configuration is mended.
    Config,
}

impl PollerError {
    /// The job's config is wrong; `message` names the field and what was expected.
    pub fn config(message: impl Into<String>) -> Self {
        Self::Config { message: message.into(), path: None }
    }

    /// The job's config is wrong at `path`, such as `deliver.channel` or `urls[1]`; `message` says the same to people.
    pub fn config_at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { message: message.into(), path: Some(path.into()) }
    }

    /// The field of the config that is wrong, where the error knows it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Config { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// It may work later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None, source: None }
    }

    /// It may work later, not before `retry_after` has passed.
    pub fn rate_limited(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::Transient { message: message.into(), retry_after: Some(retry_after), source: None }
    }

    /// It will not work again by itself.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent { message: message.into(), source: None }
    }

    /// The class that the runner acts on.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Config { .. } => ErrorClass::Config,
            Self::Transient { .. } => ErrorClass::Transient,
            Self::CredentialsMissing { .. } | Self::Permanent { .. } => ErrorClass::Permanent,
        }
    }

    /// The JSON-RPC error code that stands for this class on the wire.
    #[must_use]
    pub fn code(&self) -> i64 {
        self.class().code()
    }

    /// The source's own word on when to come back.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The error that a JSON-RPC error object stands for; unknown codes are transient.
    #[must_use]
    pub fn from_code(code: i64, message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        let message = message.into();
        match ErrorClass::from_code(code) {
            ErrorClass::Config => Self::config(message),
            ErrorClass::Permanent => Self::Permanent { message, source: None },
            ErrorClass::Transient => Self::Transient { message, retry_after, source: None },
        }
    }
}

impl ErrorClass {
    /// The JSON-RPC error code of this class.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Transient => code::TRANSIENT,
            Self::Permanent => code::PERMANENT,
            Self::Config => code::INVALID_PARAMS,
        }
    }

    /// The class of a JSON-RPC error code. A missing method cannot appear by waiting, so it is permanent; malformed
    /// and unknown codes are transient.
    #[must_use]
    pub fn from_code(code: i64) -> Self {
        match code {
            code::PERMANENT | code::METHOD_NOT_FOUND => Self::Permanent,
            code::INVALID_PARAMS => Self::Config,
            _ => Self::Transient,
        }
    }

    /// The class's name in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Config => "config",
        }
    }
}

/// Why a call to the host failed. `?` in a tick turns it into a [`PollerError`], classified by cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The manifest's `publish` list does not allow the topic. Permanent.
    #[error(
        "publishing on `{topic}` is not allowed: the manifest's [plugin.capabilities.broker] publish list is [{}]; \
         add the topic there (`publish = [...]` of #[poller])", allowed.join(", ")
    )]
    NotAllowed {
        /// The topic that was refused.
        topic: String,
        /// What the manifest allows.
        allowed: Vec<String>,
    },
    /// The payload cannot be published. Permanent.
    #[error("the payload for `{topic}` cannot be published: {reason}")]
    Payload {
        /// The topic it was meant for.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The owning agent has no account on the channel. Permanent.
    #[error("no credentials for channel `{channel}`: {reason}")]
    CredentialsMissing {
        /// The channel that was asked for.
        channel: String,
        /// What the host said.
        reason: String,
    },
    /// The host is over a limit. Transient.
    #[error("{reason}")]
    RateLimited {
        /// Which limit.
        reason: String,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The host did not answer in time. Transient.
    #[error("`{call}` was not answered within {} ms", after.as_millis())]
    Timeout {
        /// The call that was made.
        call: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The host cannot be reached. Transient.
    #[error("the host cannot be reached: {reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// The host answered with an error of its own, classified by its code.
    #[error("`{call}` was refused: {message}")]
    Rejected {
        /// The call that was made.
        call: String,
        /// The JSON-RPC code.
        code: i64,
        /// What the host said.
        message: String,
    },
}

impl HostError {
    /// [`HostError::Payload`].
    pub fn payload(topic: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Payload { topic: topic.into(), reason: reason.into() }
    }

    /// [`HostError::Unavailable`].
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    /// The class that a tick failing with this error has.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotAllowed { .. } | Self::Payload { .. } | Self::CredentialsMissing { .. } => ErrorClass::Permanent,
            Self::RateLimited { .. } | Self::Timeout { .. } | Self::Unavailable { .. } => ErrorClass::Transient,
            Self::Rejected { code, .. } => ErrorClass::from_code(*code),
        }
    }
}

impl From<HostError> for PollerError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::CredentialsMissing { channel, reason } => Self::CredentialsMissing { channel, reason },
            HostError::RateLimited { reason, retry_after } => {
                Self::Transient { message: reason, retry_after, source: None }
            }
            other => Self::from_code(other.class().code(), other.to_string(), None),
        }
    }
}

impl From<KindError> for PollerError {
    fn from(error: KindError) -> Self {
        Self::config(error.to_string())
    }
}

/// Classifies any error as a [`PollerError`], with a sentence on what was being done.
pub trait ResultExt<T> {
    /// It may work later; the message reads `<doing>: <cause>`.
    ///
    /// # Errors
    /// The classified error.
    fn transient(self, doing: impl Into<String>) -> Result<T, PollerError>;

    /// It will not work again by itself; the message reads `<doing>: <cause>`.
    ///
    /// # Errors
    /// The classified error.
    fn permanent(self, doing: impl Into<String>) -> Result<T, PollerError>;
}

impl<T, E: Into<Source>> ResultExt<T> for Result<T, E> {
    fn transient(self, doing: impl Into<String>) -> Result<T, PollerError> {
        self.map_err(|error| {
            let source = error.into();
            let message = format!("{}: {source}", doing.into());
            PollerError::Transient { message, retry_after: None, source: Some(source) }
        })
    }

    fn permanent(self, doing: impl Into<String>) -> Result<T, PollerError> {
        self.map_err(|error| {
            let source = error.into();
            let message = format!("{}: {source}", doing.into());
            PollerError::Permanent { message, source: Some(source) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_the_protocol_has_its_class() {
        let table = [
            (-32001, ErrorClass::Transient),
            (-32002, ErrorClass::Permanent),
            (-32602, ErrorClass::Config),
            (-32601, ErrorClass::Permanent),
            (-32700, ErrorClass::Transient),
            (-32600, ErrorClass::Transient),
            (-32603, ErrorClass::Transient),
            (1, ErrorClass::Transient),
        ];
        for (code, class) in table {
            assert_eq!(ErrorClass::from_code(code), class, "code {code}");
        }
    }

    #[test]
    fn a_class_survives_the_wire() {
        for class in [ErrorClass::Transient, ErrorClass::Permanent, ErrorClass::Config] {
            assert_eq!(ErrorClass::from_code(class.code()), class);
        }
    }

    #[test]
    fn a_host_error_keeps_its_retry_after_through_the_question_mark() {
        let error = HostError::RateLimited { reason: "slow down".into(), retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(PollerError::from(error).retry_after(), Some(Duration::from_secs(7)));
    }
}
