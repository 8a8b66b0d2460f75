//! The protocol between daemons and plugins, as types: for programs that speak it from elsewhere.
//!
//! Every message on the broker is an [`Event`]; a request has a [`Message`] as its payload. [`TickRequest`] and [`TickReply`] are the bodies of a tick,
//! [`HostRequest`] and [`HostCall`] those of a plugin's calls to its daemon. [`topics`] and [`code`] hold every topic and error code. What is written is strict;
//! what is read is accepted in every form that published plugins and daemons use.
//!
//! The whole protocol is written down, for readers of any language, in [docs/protocol.md]: the frames of stdin and stdout (`initialize`, `broker.event`,
//! `broker.publish`, `shutdown`), one process per tick, NATS, and the codes:
//!
//! | code | means | the daemon |
//! | --- | --- | --- |
//! | −32001 | transient | tries again |
//! | −32002 | permanent | pauses the job |
//! | −32602 | the parameters, or the job's config, are wrong | pauses the job |
//! | −32601 | the method is not known, or the kind not served | pauses the job |
//! | −32700, −32600, −32603 and any other | malformed, or an internal failure | tries again |
//!
//! [docs/protocol.md]: https://github.com/nexo-poller/nexo-poller/blob/main/docs/protocol.md

mod cursor;
mod debug;
mod depth;
mod envelope;
mod host_answer;
mod host_call;
mod id;
mod publish;
mod rpc;
mod secs;
mod sent;
#[cfg(test)]
mod tests;
mod tick;
mod tick_cancel;
mod tick_reply;
#[cfg(any(feature = "router", feature = "nats"))]
mod unread;

pub use self::cursor::{CursorEncodingError, decode_cursor, encode_cursor};
pub use self::depth::MAX_DEPTH;
pub(crate) use self::depth::{is_too_deep, too_deep};
pub use self::envelope::{Event, Message, ReplyTo, open_native, open_request};
pub use self::host_answer::{host_error_body, open_host_answer};
pub use self::host_call::{HostCall, HostRequest};
#[cfg(feature = "router")]
pub(crate) use self::id::copy_id;
pub use self::id::{publish_id, random_id};
pub use self::publish::{Publisher, payload_json};
pub use self::rpc::{RpcError, answer_to, error_body, open_answer, result_body};
pub use self::sent::{SentId, SentIds};
pub use self::tick::{TickOrder, TickRequest};
pub use self::tick_cancel::TickCancel;
pub use self::tick_reply::TickReply;
#[cfg(any(feature = "router", feature = "nats"))]
pub(crate) use self::unread::{TooDeep, error_for};
pub use crate::contract::{Pattern, PatternError, matches};

/// The topics that daemons, plugins and channels have agreed on: the one place that spells them, and says which of them are
/// the protocol's own.
pub mod topics {
    pub use crate::contract::reserved::*;
    pub use crate::contract::topics::*;
}

/// The JSON-RPC codes of the protocol: the one place that spells them.
pub mod code {
    pub use crate::contract::code::*;
}
