use std::future::Future;
use std::io;
use std::num::NonZero;

use tokio::runtime::{Builder, Handle, Runtime};

/// Two runtimes: one thread that carries the protocol and keeps deadlines, and a pool for the authors' ticks. A tick
/// that blocks its thread cannot hold up the answers of others, nor the shutdown.
pub(super) struct Runtimes {
    protocol: Runtime,
    authors: Runtime,
}

impl Runtimes {
    /// `slots`: ticks that may run at once, of all kinds together.
    pub(super) fn start(slots: usize) -> io::Result<Self> {
        // One thread more than ticks that can block one: there is always a thread left to run an async one.
        let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = cpus.max(slots.saturating_add(1)).min(256);
        Ok(Self {
            protocol: Builder::new_current_thread().enable_all().build()?,
            authors: Builder::new_multi_thread().worker_threads(threads).thread_name("tick").enable_all().build()?,
        })
    }

    pub(super) fn authors(&self) -> Handle {
        self.authors.handle().clone()
    }

    /// Runs `work` and returns without waiting for ticks that it left behind.
    pub(super) fn run<T>(self, work: impl Future<Output = T>) -> T {
        let result = self.protocol.block_on(work);
        self.authors.shutdown_background();
        result
    }
}
