//! The author's real binary, driven as the daemon drives it.
//!
//! Lives here: building it, running it under the daemon's own supervisor or one process a tick, and the broker that hands
//! what it publishes to a [`MockPollerHost`](crate::MockPollerHost).
//!
//! May not enter: a second implementation of the protocol. The bridge, the proxies and the answers to calls are the
//! daemon's.

mod build;
mod error;
mod host_broker;
mod pipes;
mod plugin_process;

pub use self::build::built_binary;
pub use self::error::ProcessError;
pub use self::pipes::PluginPipes;
pub use self::plugin_process::PluginProcess;
