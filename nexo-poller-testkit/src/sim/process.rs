use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nexo_poller::contract::WarmStates;
use nexo_poller::store::{StateStore, StoreError, UnixMs};
use nexo_poller::unstable::{Answers, Batch, NewJob, StoredJob};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::random::Random;
use super::scenario::Scenario;

/// The process of one runner as the world sees it: once it is dead, nothing that it does has an effect any more.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) owner: String,
    /// Counted from one.
    pub(super) runner: u8,
    pub(super) dead: CancellationToken,
    /// What its pollers keep warm.
    pub(super) warm: WarmStates,
}

impl Process {
    /// The runner that was started for the `life`th time.
    pub(super) fn new(runner: u8, life: usize) -> Self {
        let (owner, dead) = (format!("runner {runner} (life {life})"), CancellationToken::new());
        Self { owner, runner, dead, warm: WarmStates::default() }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// `work`, or nothing any more where the process dies before it is done.
    pub(super) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => std::future::pending().await,
            done = work => done,
        }
    }
}

/// The way from one process to the store: it takes time, is cut off, and ends with the process. A process may die between
/// what a write does and the answer to it.
pub(super) struct Line {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) process: Process,
    pub(super) scenario: Arc<Scenario>,
    pub(super) began: Instant,
    pub(super) latency: Duration,
    pub(super) random: Mutex<Random>,
}

impl Line {
    async fn way(&self) {
        let most = u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX);
        if most > 0 {
            let micros = self.random.lock().unwrap_or_else(PoisonError::into_inner).up_to(most);
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    async fn there(&self) -> Result<(), StoreError> {
        self.way().await;
        while let Some(wait) = self.scenario.held_up(usize::from(self.process.runner), self.began.elapsed()) {
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
        if self.scenario.store_is_down(self.began.elapsed()) {
            return Err(StoreError::Unavailable { reason: "the store is down".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for Line {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.process.alive(self.there()).await?;
        let answer = self.store.open_jobs(jobs).await;
        self.process.alive(self.way()).await;
        answer
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        self.process.alive(self.there()).await?;
        let answer = self.store.write(batch).await;
        self.process.alive(self.way()).await;
        answer
    }

    fn now(&self) -> UnixMs {
        self.store.now()
    }
}
