//! The stdio bridge: newline-delimited JSON-RPC 2.0 between a daemon and the plugin that it spawned.
//!
//! Lives here: the line framer, the frames, the methods, and both ends, for a plugin that stays and for one that runs one tick
//! a process. The plugin's end ([`StdioBroker`]) is a [`Broker`] whose other
//! side is the daemon; the daemon's end (`StdioParent`, feature `router`) makes the child a part of the daemon's own broker.
//!
//! May not enter: processes (whoever spawns a child brings its pipes), and what messages mean.
//!
//! [`Broker`]: super::Broker

mod child;
#[cfg(feature = "router")]
mod forward;
#[cfg_attr(not(feature = "unstable"), expect(unreachable_pub, reason = "public for our daemon and testkit alone"))]
pub(crate) mod frame;
#[cfg(feature = "router")]
mod from_child;
#[cfg(feature = "router")]
mod handshake;
#[cfg(feature = "router")]
mod inboxes;
#[cfg(feature = "router")]
mod lines;
mod methods;
#[cfg(feature = "router")]
mod observer;
#[cfg(feature = "router")]
mod one_tick;
#[cfg(feature = "router")]
mod options;
#[cfg(feature = "router")]
mod outgoing;
mod output;
#[cfg(feature = "router")]
mod parent;
#[cfg(feature = "router")]
mod parent_error;
mod reader;
#[cfg_attr(not(feature = "unstable"), expect(unreachable_pub, reason = "public for our daemon and testkit alone"))]
#[cfg_attr(
    not(any(feature = "router", feature = "unstable")),
    expect(dead_code, reason = "a plugin asks nothing over this bridge, so it reads no answers")
)]
pub(crate) mod rpc;
mod session;
#[cfg(test)]
mod tests;

pub use self::child::StdioBroker;
#[cfg(feature = "router")]
pub(crate) use self::from_child::FromChild;
#[cfg(feature = "router")]
pub use self::observer::BridgeObserver;
#[cfg(feature = "router")]
pub(crate) use self::one_tick::OneTickParent;
#[cfg(feature = "router")]
pub use self::options::ParentOptions;
#[cfg(feature = "router")]
pub use self::parent::StdioParent;
#[cfg(feature = "router")]
pub use self::parent_error::{CloseReason, StdioError};
pub use self::reader::Hello;
pub(crate) use self::reader::MAX_LINE;
#[cfg(feature = "nats")]
pub(crate) use self::reader::asks_who_we_are;
pub use self::session::{SessionEnd, StdioSession};
use crate::wire::{RpcError, TickReply, answer_to, code};

/// What is answered in place of `answer`, which has `size` bytes, over the transport's `limit`. The same tick would give the same
/// answer, so it is not to be repeated. `repeated`: see [`TickReply::failure`].
pub(crate) fn answer_too_large(
    answer: &serde_json::Value,
    repeated: bool,
    size: usize,
    limit: usize,
) -> serde_json::Value {
    let message = format!(
        "the answer to this tick has {size} bytes, over the limit of {limit}: keep a bounded window in the cursor, not \
         everything that was ever seen"
    );
    answer_to(answer, TickReply::failure(&RpcError::new(code::PERMANENT, message), repeated))
}
