//! The stdio bridge: newline-delimited JSON-RPC 2.0 between a daemon and the plugin that it spawned.
//!
//! Lives here: the line framer, the frames, and both ends. The plugin's end ([`StdioBroker`]) is a [`Broker`] whose other
//! side is the daemon; the daemon's end (`StdioParent`, feature `router`) makes the child a part of the daemon's own broker.
//!
//! May not enter: processes (whoever spawns a child brings its pipes), and what messages mean.
//!
//! [`Broker`]: super::Broker

mod child;
#[cfg(feature = "router")]
mod forward;
mod frame;
#[cfg(feature = "router")]
mod handshake;
#[cfg(feature = "router")]
mod outgoing;
#[cfg(feature = "router")]
mod parent;
#[cfg(feature = "router")]
mod parent_error;
mod rpc;
#[cfg(test)]
mod tests;

pub use self::child::{Hello, SessionEnd, StdioBroker, StdioSession};
pub use self::frame::{DEFAULT_MAX_LINE, FrameError, LineFramer};
#[cfg(feature = "router")]
pub use self::parent::{BridgeObserver, ParentOptions, StdioParent};
#[cfg(feature = "router")]
pub(crate) use self::parent::{forbidden, not_allowed};
#[cfg(feature = "router")]
pub use self::parent_error::{CloseReason, StdioError};
pub(crate) use self::rpc::carry;
pub use self::rpc::{Frame, FrameKind};
use crate::wire::{RpcError, code, error_body};

/// What is answered in place of an answer of `size` bytes, over the transport's `limit`. The same tick would give the same
/// answer, so it is not to be repeated.
pub(crate) fn answer_too_large(size: usize, limit: usize) -> serde_json::Value {
    let message = format!(
        "the answer to this tick has {size} bytes, over the limit of {limit}: keep a bounded window in the cursor, not \
         everything that was ever seen"
    );
    error_body(&RpcError::new(code::PERMANENT, message))
}
