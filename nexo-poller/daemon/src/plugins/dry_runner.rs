use std::sync::Arc;
use std::time::Duration;

use nexo_poller::contract::Poller;
use nexo_poller::router::PluginBinary;

/// Who runs a tick of which nothing may remain.
pub(crate) enum DryRunner {
    /// A kind of the daemon's own.
    BuiltIn { poller: Arc<dyn Poller>, limit: Duration, publish: &'static [&'static str] },
    /// A plugin of this machine; a process of its own is started for the tick, so that no other tick's messages get lost.
    Plugin(Box<PluginBinary>),
}
