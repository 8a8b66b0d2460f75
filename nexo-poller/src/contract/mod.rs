//! The contract between a poller and whatever runs it.
//!
//! Lives here: the [`Poller`] trait, what one tick gets ([`PollContext`]) and gives back ([`TickAck`]), the world as a
//! poller sees it ([`PollerHost`]), the typed errors, and the extractors that turn a tick into function arguments.
//!
//! May not enter: anything else of this crate. No broker, no scheduler, and of the wire format only the names that other rooms
//! build on, topics and error codes: this room imports nothing of ours.

mod ack;
pub(crate) mod code;
mod context;
mod deliver;
mod describe;
mod error;
mod extract;
mod host;
mod http;
mod identity;
mod llm;
mod message;
mod name;
#[cfg(test)]
pub(crate) mod outbox;
mod path;
mod poller;
pub(crate) mod redact;
mod topic;
pub(crate) mod topics;

pub use self::ack::{TickAck, TickMetrics};
pub use self::context::PollContext;
pub use self::deliver::Deliver;
pub(crate) use self::describe::describe_decode_error;
pub use self::error::{ErrorClass, HostError, PollerError, ResultExt};
pub use self::extract::{Config, Cursor, CursorValue, FromTick, JobConfig, State, WarmState, WarmStates};
pub use self::host::{LogLevel, PollerHost, UnknownLogLevel};
pub use self::http::{HttpStatus, read_retry_after};
pub use self::identity::TickIdentity;
pub use self::llm::{LlmInvokeRequest, LlmInvokeResponse, LlmMessage, LlmRole, LlmUsage};
pub use self::message::{AnyField, MessageTemplate, TemplateError, TemplateFields};
pub use self::name::{KindError, check_kind};
#[cfg(feature = "builtins")]
pub(crate) use self::path::at_path;
pub use self::poller::Poller;
pub use self::redact::Redact;
pub use self::topic::{Pattern, PatternError, matches};
