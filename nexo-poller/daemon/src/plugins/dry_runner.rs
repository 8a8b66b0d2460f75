use std::sync::Arc;
use std::time::Duration;

use nexo_poller::contract::Poller;
use nexo_poller::router::PluginBinary;

/// Nobody here runs ticks of a kind whose messages could be kept back.
#[derive(Debug, thiserror::Error)]
#[error(
    "the kind `{kind}` is served by nobody on this machine: a plugin that others start publishes by itself, so nothing of its \
     tick could be kept back"
)]
pub(crate) struct NoDryRunner {
    pub(crate) kind: String,
}

/// Who runs a tick that may publish and save nothing.
pub(crate) enum DryRunner {
    /// A kind of the daemon's own.
    BuiltIn { poller: Arc<dyn Poller>, limit: Duration, publish: &'static [&'static str] },
    /// A plugin of this machine; a process of its own is started for the tick, so that no other tick's messages get lost.
    Plugin(Box<PluginBinary>),
}
