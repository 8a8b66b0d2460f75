use std::fmt;
use std::sync::Arc;

use super::{HostProvider, PollerRegistry, PollerRunner, RunnerOptions};
use crate::store::{Clock, StateStore, SystemClock};

/// A [`PollerRunner`] that is about to start; made by [`PollerRunner::builder`].
#[must_use = "it runs nothing until `start()`"]
pub struct RunnerBuilder {
    store: Arc<dyn StateStore>,
    registry: PollerRegistry,
    hosts: Arc<dyn HostProvider>,
    options: RunnerOptions,
    clock: Arc<dyn Clock>,
}

impl PollerRunner {
    /// A runner that keeps its jobs' state in `store`, runs the kinds of `registry`, and gives each tick a host of `hosts`; an
    /// `Arc` of a [`PollerHost`](crate::contract::PollerHost) gives all of them the same one. What is shared with others is
    /// given as an `Arc`.
    ///
    /// ```
    /// use nexo_poller::runner::{HostProvider, PollerRegistry, PollerRunner, RunnerOptions};
    /// use nexo_poller::store::MemoryStore;
    ///
    /// # async fn start(hosts: impl HostProvider) {
    /// let mut options = RunnerOptions::default();
    /// options.max_in_flight = 100;
    /// let runner = PollerRunner::builder(MemoryStore::new(), PollerRegistry::new(), hosts).options(options).start();
    /// # drop(runner);
    /// # }
    /// ```
    pub fn builder(store: impl StateStore, registry: PollerRegistry, hosts: impl HostProvider) -> RunnerBuilder {
        RunnerBuilder {
            store: Arc::new(store),
            registry,
            hosts: Arc::new(hosts),
            options: RunnerOptions::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl RunnerBuilder {
    /// Behaves otherwise than by default.
    pub fn options(mut self, options: RunnerOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads another clock than the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Starts the runner, without jobs; [`apply`](PollerRunner::apply) gives it some. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(self) -> PollerRunner {
        PollerRunner::start(self.store, self.registry, self.hosts, self.options, self.clock)
    }
}

impl fmt::Debug for RunnerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
