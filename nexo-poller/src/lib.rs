//! Write a scheduled source connector as one async function; run thousands of them.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod broker;
pub mod contract;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "router")]
pub mod host;
pub mod manifest;
pub mod plugin;
pub mod prelude;
mod private;
#[cfg(feature = "router")]
pub mod router;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(feature = "runner")]
pub mod store;
pub mod wire;

pub use nexo_poller_macros::poller;

/// What `#[poller]` expands to. Not public API: it changes with the macro, which is pinned to this exact version.
#[doc(hidden)]
pub mod __private {
    pub use schemars::Schema;
    pub use serde_json::Value;

    pub use crate::contract::{FromTick, PollContext, Poller, PollerError, TickAck};
    pub use crate::manifest::{Declaration, DeclaredPoller, Lifecycle, Package};
    pub use crate::plugin::main_of as main;
    pub use crate::private::{TickFuture, TickOutcome, all_of};
}
