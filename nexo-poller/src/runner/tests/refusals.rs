//! What a store refuses to one job concerns no other.

use super::*;
use crate::store::{Answers, Batch, ClaimAnswer, NewJob, StoreError, StoredJob, WriteAnswer};

/// Takes no cursor of more than 100 bytes, and no claim of the job `cursed`.
struct Picky {
    inner: MemoryStore,
    cursed: Mutex<Option<i64>>,
}

impl Picky {
    fn rig() -> Rig {
        let clock = Arc::new(VirtualClock::at(START));
        let inner = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        Rig::on(Arc::new(Self { inner, cursed: Mutex::default() }), clock, RunnerOptions::default())
    }
}

#[async_trait]
impl StateStore for Picky {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        let ids: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.id)).collect();
        let opened = self.inner.open_jobs(jobs).await?;
        if let Some(at) = ids.iter().position(|id| &**id == "cursed") {
            *self.cursed.lock().unwrap() = Some(opened[at].key);
        }
        Ok(opened)
    }

    async fn write(&self, mut batch: Batch) -> Result<Answers, StoreError> {
        let cursed = *self.cursed.lock().unwrap();
        let too_large = |cursor: &Option<Box<[u8]>>| cursor.as_ref().is_some_and(|cursor| cursor.len() > 100);
        let commits: Vec<_> = batch.commits.iter().map(|commit| too_large(&commit.state.cursor)).collect();
        let claims: Vec<_> = batch.claims.iter().map(|claim| Some(claim.key) == cursed).collect();
        batch.commits.retain(|commit| !too_large(&commit.state.cursor));
        batch.claims.retain(|claim| Some(claim.key) != cursed);
        let mut answers = self.inner.write(batch).await?;
        for (at, refused) in commits.into_iter().enumerate() {
            if refused {
                answers.commits.insert(at, WriteAnswer::Refused("its cursor is too large".to_owned()));
            }
        }
        for (at, refused) in claims.into_iter().enumerate() {
            if refused {
                answers.claims.insert(at, ClaimAnswer::Refused("its entry is not valid job state".to_owned()));
            }
        }
        Ok(answers)
    }

    fn now(&self) -> UnixMs {
        self.inner.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_the_store_does_not_take_pauses_its_job_where_it_was_and_no_other() {
    let rig = Picky::rig();
    let growing = scripted("growing", |ctx| async move {
        TickAck::with_cursor(&"x".repeat(ctx.cursor.map_or(40, |cursor| cursor.len() * 2)))
    });
    rig.register(growing, 4);
    rig.register(counting("count"), 4);
    rig.apply(vec![job("grows", "growing", 5), job("other", "count", 5)]).await;
    pass(60).await;
    let status = rig.show("grows").await;
    assert_eq!(status.phase, JobPhase::Paused, "{}", status.why);
    assert!(status.last_error.unwrap().contains("its outcome cannot be stored: its cursor is too large"));
    assert_eq!(status.cursor_bytes, 86, "the last one that was taken");
    assert_eq!((status.ticks_ok, status.ticks_failed), (2, 1));
    assert_eq!(rig.runner.health().await.unwrap().store_trouble, None);
    assert!(rig.show("other").await.ticks_ok >= 11);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_claimed_says_why_and_the_others_run() {
    let rig = Picky::rig();
    rig.register(counting("count"), 4);
    rig.apply(vec![job("cursed", "count", 5), job("other", "count", 5)]).await;
    pass(60).await;
    let error = rig.runner.run_now("cursed").await.unwrap_err();
    assert!(error.to_string().contains("its entry is not valid job state"), "{error}");
    pass(600).await;
    assert_eq!(rig.show("cursed").await.ticks_ok, 0);
    assert!(rig.show("other").await.ticks_ok >= 130);
}
