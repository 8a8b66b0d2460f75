//! Where the state of jobs lives: cursor, next run, errors, pause, lease.
//!
//! [`MemoryStore`] forgets it with the process, `SqliteStore` (feature `sqlite`) keeps it in one file, and `JetStreamStore` (feature `jetstream`) in a bucket that daemons on
//! many machines share.
//!
//! Every write is conditional on the row's revision, and a commit also on its *epoch*, the fencing number that grows with
//! each claim. So two daemons can share one store, and a daemon that was asleep while its lease ran out changes nothing.

pub(crate) mod batch;
mod clock;
#[cfg(any(test, feature = "unstable"))]
pub(crate) mod conformance;
mod error;
#[cfg(feature = "jetstream")]
mod jetstream;
mod memory;
mod record;
mod row;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod time;

use async_trait::async_trait;

pub(crate) use self::batch::{
    Answers, Batch, Claim, ClaimAnswer, Commit, Edit, NewJob, Release, Renew, StoredJob, WriteAnswer,
};
pub use self::clock::{Clock, SteadyClock, SystemClock, VirtualClock};
pub use self::error::StoreError;
#[cfg(feature = "jetstream")]
pub use self::jetstream::{JetStreamOptions, JetStreamStore};
pub use self::memory::MemoryStore;
pub use self::record::{Breaker, FailureNote, JobState, LastRun, PastCursor, Pause, PauseCause, RunOutcome, Slot};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{Backup, SqliteOptions, SqliteStore, Synchronous};
pub use self::time::UnixMs;

/// A durable home for the state of jobs, shared by any number of daemons.
///
/// What a store is asked and answers still changes with the engine: to write a store of your own, take those types from
/// `nexo_poller::unstable`, and the suite that checks the rules below.
///
/// What every store must keep:
/// - when [`write`](Self::write) returns `Ok`, everything that was answered `Granted` or `Done` survives a crash;
/// - of concurrent claims of one job, one is granted; an unexpired lease of another owner is never taken;
/// - whether a lease has expired is judged by the store's clock alone;
/// - the epoch of a job only grows, and a commit under an old epoch changes nothing.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// The stored state of each job in `jobs`, in their order; jobs that the store does not know are created with the
    /// state given.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be reached.
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError>;

    /// Does what `batch` asks, each entry under its own condition, and answers entry by entry. An empty one asks whether
    /// anything could be written now.
    ///
    /// # Errors
    /// [`StoreError`] where nothing of the batch may be taken as done; the caller may send it again.
    async fn write(&self, batch: Batch) -> Result<Answers, StoreError>;

    /// The cursors that the job had before the present one and that the store still has, newest first. A store without a
    /// history answers none: one step back is kept with the state itself ([`JobState::previous_cursor`]).
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be reached.
    async fn past_cursors(&self, _job: &str) -> Result<Vec<PastCursor>, StoreError> {
        Ok(Vec::new())
    }

    /// The store's own clock, which judges leases.
    fn now(&self) -> UnixMs;
}
