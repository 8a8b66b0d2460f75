use std::time::Duration;

use nexo_poller::router::PluginKind;
use nexo_poller::runner::{KindLimits, PollerRegistry};

/// Makes a plugin's kind available to jobs.
pub(crate) fn offer(registry: &PollerRegistry, kind: PluginKind) {
    let limits = KindLimits::new(
        usize::try_from(kind.max_concurrent_ticks).unwrap_or(usize::MAX),
        Duration::from_secs(kind.tick_timeout_secs.into()),
    )
    .elsewhere();
    if let Err(error) = registry.register(kind.poller, limits) {
        tracing::error!(plugin = kind.plugin, "{error}");
    }
}
