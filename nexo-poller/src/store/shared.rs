//! An `Arc` of a store or a clock is that store or clock: whoever takes one takes a shared one as well.
//!
//! The methods are written as `#[async_trait]` would, without a future of their own around the one that is there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Answers, Batch, Clock, NewJob, PastCursor, StateStore, StoreError, StoredJob, UnixMs};

type Promise<'r, T> = Pin<Box<dyn Future<Output = T> + Send + 'r>>;

impl<S: StateStore + ?Sized> StateStore for Arc<S> {
    fn open_jobs<'s, 'r>(&'s self, jobs: Vec<NewJob>) -> Promise<'r, Result<Vec<StoredJob>, StoreError>>
    where
        's: 'r,
        Self: 'r,
    {
        (**self).open_jobs(jobs)
    }

    fn write<'s, 'r>(&'s self, batch: Batch) -> Promise<'r, Result<Answers, StoreError>>
    where
        's: 'r,
        Self: 'r,
    {
        (**self).write(batch)
    }

    fn past_cursors<'s, 'j, 'r>(&'s self, job: &'j str) -> Promise<'r, Result<Vec<PastCursor>, StoreError>>
    where
        's: 'r,
        'j: 'r,
        Self: 'r,
    {
        (**self).past_cursors(job)
    }

    fn now(&self) -> UnixMs {
        (**self).now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> UnixMs {
        (**self).now()
    }

    fn sleep<'s, 'r>(&'s self, duration: Duration) -> Promise<'r, ()>
    where
        's: 'r,
        Self: 'r,
    {
        (**self).sleep(duration)
    }
}
