use std::sync::Arc;

use crate::contract::PollerHost;
use crate::store::UnixMs;

/// Which tick it is: what a host needs to answer in the right agent's name, and to derive the ids of publishes.
#[derive(Debug, Clone)]
pub struct TickIdentity {
    /// The job.
    pub job_id: Arc<str>,
    /// The agent that owns it.
    pub agent_id: Arc<str>,
    /// The kind of poller.
    pub kind: &'static str,
    /// The run's key within the job: the instant that the schedule names. A retry has the same one.
    pub run_key: UnixMs,
    /// 0 for the first attempt at this run.
    pub attempt: u32,
    /// The cursor that the tick starts from.
    pub cursor_before: Option<Arc<[u8]>>,
}

/// Makes the world of one tick. The runner knows nothing of channels and credentials: this is where they enter.
pub trait HostProvider: Send + Sync + 'static {
    /// The host for `tick`.
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
