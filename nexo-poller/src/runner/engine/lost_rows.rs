use std::pin::Pin;
use std::sync::Arc;

use super::index::JobIndex;
use crate::store::{NewJob, StateStore, StoreError, StoredJob};

/// Rows that somebody has deleted from the store while the runner ran, and which are made again.
pub(super) struct LostRows {
    store: Arc<dyn StateStore>,
    waiting: Vec<(JobIndex, NewJob)>,
    opening: Option<Opening>,
}

struct Opening {
    jobs: Vec<JobIndex>,
    answer: Pin<Box<dyn Future<Output = Result<Vec<StoredJob>, StoreError>> + Send>>,
}

/// What became of some of them.
pub(super) struct Reopened {
    pub(super) jobs: Vec<JobIndex>,
    /// In the order of `jobs`.
    pub(super) answer: Result<Vec<StoredJob>, StoreError>,
}

impl LostRows {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Self {
        Self { store, waiting: Vec::new(), opening: None }
    }

    pub(super) fn add(&mut self, job: JobIndex, new: NewJob) {
        self.waiting.push((job, new));
    }

    /// Those that were asked for together, once the store has answered; never, while there are none. Nothing is lost where it is
    /// dropped half-way.
    pub(super) async fn reopened(&mut self) -> Reopened {
        if self.opening.is_none() && !self.waiting.is_empty() {
            let (jobs, new) = std::mem::take(&mut self.waiting).into_iter().unzip();
            let store = Arc::clone(&self.store);
            self.opening = Some(Opening { jobs, answer: Box::pin(async move { store.open_jobs(new).await }) });
        }
        let Some(opening) = &mut self.opening else { return std::future::pending().await };
        let answer = opening.answer.as_mut().await;
        let jobs = self.opening.take().map(|opening| opening.jobs).unwrap_or_default();
        Reopened { jobs, answer }
    }
}
