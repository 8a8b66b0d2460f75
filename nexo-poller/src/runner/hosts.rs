use std::sync::Arc;

use crate::contract::{PollerHost, TickIdentity};

/// Makes the world of one tick. The runner knows nothing of channels and credentials: this is where they enter.
pub trait HostProvider: Send + Sync + 'static {
    /// The host for `tick`. The runner closes it when the tick is over.
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost>;
}

/// A provider that others have as well.
impl HostProvider for Arc<dyn HostProvider> {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        (**self).host_for(tick)
    }
}

/// The same host for every tick.
impl<H: PollerHost> HostProvider for Arc<H> {
    fn host_for(&self, _tick: &TickIdentity) -> Arc<dyn PollerHost> {
        Arc::<H>::clone(self)
    }
}
