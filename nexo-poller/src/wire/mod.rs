//! What travels: the [`Event`]/[`Message`] envelope, JSON-RPC bodies, topic patterns, cursor encoding.
//!
//! Lives here: pure types and functions between bytes and meaning; strict in what they write, liberal in what they read.
//!
//! May not enter: sockets, pipes, tasks. Imports [`contract`](crate::contract) only.

mod cursor;
mod debug;
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
mod tick_reply;

pub use self::cursor::{CursorEncodingError, decode_cursor, encode_cursor};
pub use self::envelope::{Event, Message, ReplyTo, open_native, open_request};
pub use self::host_answer::{host_error_body, open_host_answer};
pub use self::host_call::{HostCall, HostRequest};
pub use self::id::{publish_id, random_id};
pub use self::publish::{Publisher, payload_json};
pub use self::rpc::{RpcError, error_body, open_answer, result_body};
pub use self::sent::{SentId, SentIds};
pub use self::tick::{TickOrder, TickRequest};
pub use self::tick_reply::TickReply;
pub use crate::contract::{Pattern, PatternError, matches};

/// The topics that daemons, plugins and channels have agreed on: the one place that spells them, and says which of them are
/// the protocol's own.
pub mod topics {
    pub use crate::contract::topics::*;
}

/// The JSON-RPC codes of the protocol: the one place that spells them.
pub mod code {
    pub use crate::contract::code::*;
}
