//! What a poller is: the [`Poller`] trait, what one tick gets ([`PollContext`]) and returns ([`TickAck`]), and the world as a poller sees
//! it ([`PollerHost`]).
//!
//! Most authors meet this module through the [`prelude`](crate::prelude) and `#[poller]`. Beside the traits it has the errors, whose variant decides what
//! happens next ([`PollerError`], [`HostError`]), the arguments that a poller's function can take ([`Config`], [`Cursor`], [`State`]), messages to people
//! ([`Deliver`], [`MessageTemplate`]), and what an HTTP status means to a job ([`HttpStatus`]).

mod ack;
pub(crate) mod code;
mod context;
mod cursor_size;
pub(crate) mod cursor_texts;
mod deliver;
mod describe;
mod error;
mod extract;
mod grammar;
mod host;
mod http;
mod identity;
mod llm;
mod message;
mod name;
pub(crate) mod one_line;
mod path;
mod poller;
#[cfg(test)]
pub(crate) mod recording_host;
mod redact;
pub(crate) mod reserved;
#[cfg(feature = "unstable")]
pub(crate) mod secret_names;
mod topic;
pub(crate) mod topics;

pub use self::ack::{TickAck, TickMetrics};
pub use self::context::PollContext;
pub(crate) use self::cursor_size::check_cursor;
pub use self::cursor_size::{CursorTooLarge, MAX_CURSOR};
pub use self::deliver::Deliver;
pub(crate) use self::describe::describe_decode_error;
pub use self::error::{ErrorClass, HostError, PollerError, ResultExt};
pub use self::extract::{Config, Cursor, CursorValue, FromTick, JobConfig, State, WarmState, WarmStates};
pub(crate) use self::grammar::Shown;
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
pub use self::topic::{Pattern, PatternError, check_topic, matches};
