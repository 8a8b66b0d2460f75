//! Job state in one SQLite file, which any number of daemons on the machine may share.

mod backup;
mod damage;
mod open;
mod options;
mod place;
mod rows;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use self::backup::Backup;
use self::open::Problem;
pub use self::options::{SqliteOptions, Synchronous};
use self::place::Place;
use self::writer::{Request, Writer};
use super::{Answers, Batch, Clock, NewJob, StateStore, StoreError, StoredJob, UnixMs};

/// Job state in one SQLite file (WAL mode).
///
/// One thread writes. What comes while it writes is taken together into the next transaction, so that a thousand ticks
/// cost one `fdatasync`. The file is created readable by its owner only: cursors can hold secrets.
///
/// ```
/// use std::sync::Arc;
/// use nexo_poller::store::{SqliteOptions, SqliteStore, StateStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dir = tempfile::tempdir()?;
/// let store: Arc<dyn StateStore> = Arc::new(SqliteStore::open(dir.path().join("poller.db"), SqliteOptions::default())?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
    clock: ClockHandle,
}

struct ClockHandle(Arc<dyn Clock>);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl SqliteStore {
    /// Opens the file at `path`, and creates it where there is none.
    ///
    /// # Errors
    /// [`StoreError`] with a sentence for each: a damaged file, one of a newer version, a place that cannot be written, a
    /// file that is locked, an SQLite that is too old. A file that is there is never overwritten.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let connection = open::open(path.as_ref(), &options)?;
        let (requests, receiver) = mpsc::channel();
        let clock = ClockHandle(Arc::clone(&options.clock));
        let writer = Writer::new(connection, Place::of(path.as_ref())?, options.clock);
        let thread = std::thread::Builder::new()
            .name("nexo-poller-sqlite".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| StoreError::unavailable(format!("no thread could be started: {error}")))?;
        Ok(Self { requests: Some(requests), thread: Some(thread), clock })
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request + Send,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or(StoreError::Closed)?;
        requests.send(request(reply)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.ask(|reply| Request::Open(jobs, reply)).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        self.ask(|reply| Request::Write(batch, reply)).await
    }

    fn now(&self) -> UnixMs {
        self.clock.0.now()
    }
}

/// Waits until what was asked for is written and the file is closed.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to write.
            let _ = thread.join();
        }
    }
}
