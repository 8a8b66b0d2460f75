//! Job state in a key-value bucket of JetStream, shared by daemons on any number of machines.
//!
//! One entry a job holds its state, its epoch and its lease. Every write is a compare-and-set on the entry's sequence,
//! which is the fence: whoever was asleep, cut off or too slow is refused by the server.
//!
//! **When a lease has run out** is judged without anybody's wall clock: a daemon that wants the job takes the lease once
//! *it* has seen the very same entry for the lease's whole length, on its own monotonic clock, and its claim is a
//! compare-and-set on that entry. A holder that is alive renews, which is another entry; so the claim of somebody who has
//! not heard of the renewal (a partition, a paused process, a server that was away) is refused. No time that a server or
//! another machine has written is ever compared with one's own.

mod bucket;
mod entry;
mod job_view;
mod options;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::StreamExt as _;

pub use self::options::JetStreamOptions;

use self::bucket::Bucket;
use self::entry::Entry;
use self::job_view::{JobView, missing};
use self::watch::Watched;
use super::{
    Answers, Batch, ClaimAnswer, Clock, NewJob, PastCursor, StateStore, StoreError, StoredJob, UnixMs, WriteAnswer,
};

/// Requests on the way at once.
const AT_ONCE: usize = 512;

/// Job state in a JetStream bucket.
pub struct JetStreamStore {
    bucket: Arc<Bucket>,
    clock: Arc<dyn Clock>,
    jobs: RwLock<Jobs>,
    watched: Watched,
}

/// The jobs that this process has opened. A job's key is its place in the list.
#[derive(Default)]
struct Jobs {
    keys: HashMap<Arc<str>, i64>,
    views: Vec<Arc<JobView>>,
}

impl JetStreamStore {
    /// Opens the bucket, and makes it where it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server cannot be reached or has no JetStream.
    pub async fn open(client: async_nats::Client, options: JetStreamOptions) -> Result<Self, StoreError> {
        let clock = Arc::clone(&options.clock);
        let bucket = Arc::new(Bucket::open(client, options).await?);
        let watched = Watched::start(Arc::clone(&bucket), Arc::clone(&clock));
        Ok(Self { bucket, clock, jobs: RwLock::default(), watched })
    }

    fn view(&self, key: i64) -> Option<Arc<JobView>> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.views.get(usize::try_from(key).ok()?).cloned()
    }

    /// The view of a job, made where this process does not know it yet.
    fn view_of(&self, id: &Arc<str>) -> (i64, Arc<JobView>) {
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        let Jobs { keys, views } = &mut *jobs;
        let key = *keys.entry(Arc::clone(id)).or_insert_with(|| {
            let key = i64::try_from(views.len()).unwrap_or(i64::MAX);
            views.push(Arc::new(JobView::new(key, &self.bucket, id)));
            key
        });
        (key, Arc::clone(&views[usize::try_from(key).unwrap_or(usize::MAX)]))
    }

    /// Does every entry of one list, many at a time, and answers in their order.
    async fn each<E: Send, A: Send, F>(
        &self,
        entries: Vec<E>,
        work: impl Fn(Option<Arc<JobView>>, E) -> F + Send,
        key: impl Fn(&E) -> i64 + Send,
    ) -> Result<Vec<A>, StoreError>
    where
        F: Future<Output = Result<A, StoreError>> + Send,
    {
        let work = entries.into_iter().map(|entry| work(self.view(key(&entry)), entry)).collect::<Vec<_>>();
        let mut answers = Vec::with_capacity(work.len());
        let mut running = futures_util::stream::iter(work).buffered(AT_ONCE);
        let mut failed = None;
        // All of them are waited for: what is on the way may still arrive, and must be known to be unsure.
        while let Some(answer) = running.next().await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(answers), Err)
    }

    async fn write_each<E: Send + Sync>(
        &self,
        entries: Vec<E>,
        key: impl Fn(&E) -> i64 + Send,
        decide: impl Fn(&mut super::row::Row, &E, UnixMs) -> WriteAnswer + Sync,
    ) -> Result<Vec<WriteAnswer>, StoreError> {
        let decide = &decide;
        let work = |view: Option<Arc<JobView>>, entry: E| async move {
            let Some(view) = view else { return Ok(missing()) };
            let answer = view.write(&self.bucket, &*self.clock, |row, now| decide(row, &entry, now)).await;
            refused_alone(answer, WriteAnswer::Refused)
        };
        self.each(entries, work, key).await
    }
}

/// What the store refuses to one job is that job's answer; nobody else's writes fail with it.
fn refused_alone<A>(answer: Result<A, StoreError>, refused: impl FnOnce(String) -> A) -> Result<A, StoreError> {
    match answer {
        Err(StoreError::Refused { reason }) => Ok(refused(reason)),
        answer => answer,
    }
}

#[async_trait]
impl StateStore for JetStreamStore {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        let opening = jobs.into_iter().map(|job| {
            let (key, view) = self.view_of(&job.id);
            async move {
                let opened = view.open(&self.bucket, &*self.clock, &job).await;
                refused_alone(opened, |reason| StoredJob::unusable(key, job.state, reason, self.clock.now()))
            }
        });
        let opening = opening.collect::<Vec<_>>();
        let mut opened = Vec::with_capacity(opening.len());
        let mut running = futures_util::stream::iter(opening).buffered(AT_ONCE);
        while let Some(stored) = running.next().await {
            opened.push(stored?);
        }
        Ok(opened)
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        self.bucket.reachable()?;
        let owner = &batch.owner;
        let claim = |view: Option<Arc<JobView>>, claim: super::Claim| async move {
            let Some(view) = view else { return Ok(ClaimAnswer::Missing) };
            let answer = view.claim(&self.bucket, &*self.clock, &claim, owner).await;
            let answer = refused_alone(answer, ClaimAnswer::Refused)?;
            if matches!(answer, ClaimAnswer::Held { .. }) {
                self.watched.add(claim.key, view);
            }
            Ok(answer)
        };
        // Each entry has its own condition, so the lists need not wait for one another.
        let (commits, edits, claims, renewals, releases) = tokio::join!(
            self.write_each(batch.commits, |c| c.key, |row, commit, _| row.commit(commit.clone())),
            self.write_each(batch.edits, |e| e.key, |row, edit, _| row.edit(edit.clone())),
            self.each(batch.claims, claim, |c| c.key),
            self.write_each(batch.renewals, |r| r.key, |row, renew, now| row.renew(renew, owner, now)),
            self.write_each(batch.releases, |r| r.key, |row, release, _| row.release(release, owner)),
        );
        Ok(Answers { commits: commits?, edits: edits?, claims: claims?, renewals: renewals?, releases: releases? })
    }

    async fn past_cursors(&self, job: &str) -> Result<Vec<PastCursor>, StoreError> {
        self.bucket.reachable()?;
        let mut past: Vec<PastCursor> = Vec::new();
        for (written, bytes) in self.bucket.history(job).await? {
            // What an older program wrote, or somebody else, is no cursor of ours.
            let row = Entry::read(&bytes).and_then(|entry| entry.into_row(0, written));
            let Ok(row) = row else { continue };
            if past.last().is_none_or(|last| last.cursor != row.state.cursor) {
                past.push(PastCursor { written, cursor: row.state.cursor });
            }
        }
        // The last one is the present one.
        past.pop();
        past.reverse();
        Ok(past)
    }

    fn now(&self) -> UnixMs {
        self.clock.now()
    }
}

impl std::fmt::Debug for JetStreamStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JetStreamStore").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}
