//! Changes of a job while its tick's outcome is on its way to a slow store: both hold, in either order.

use super::*;
use crate::contract::MAX_CURSOR;
use crate::store::{Answers, Batch, JobState, NewJob, StoreError, StoredJob};

/// A store whose every write takes 50 ms, as a busy disk's does.
struct Slow(MemoryStore);

#[async_trait]
impl StateStore for Slow {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.0.open_jobs(jobs).await
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        let answers = self.0.write(batch).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        answers
    }

    fn now(&self) -> UnixMs {
        self.0.now()
    }
}

/// Pauses a job `at` after its second tick, of 300 ms, has begun; what is stored then: its cursor, and whether it is paused.
async fn paused_at(at: Duration) -> (Option<u64>, bool) {
    let clock = Arc::new(VirtualClock::at(START));
    let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let rig = Rig::on(Arc::new(Slow(memory.clone())), clock, RunnerOptions::default());
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let poller = scripted("count", move |ctx| {
        let begin = begin.clone();
        async move {
            let _ = begin.send(());
            tokio::time::sleep(Duration::from_millis(300)).await;
            TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1))
        }
    });
    rig.register(poller, 4);
    rig.apply(vec![job("a", "count", 60)]).await;
    begun.recv().await;
    begun.recv().await;
    tokio::time::sleep(at).await;
    rig.runner.pause("a", "look", "me").await.unwrap();
    pass(5).await;
    assert!(rig.show("a").await.paused.is_some(), "paused {at:?} after the tick began");
    let stored = memory.open_jobs(vec![NewJob::new("a", JobState::default())]).await.unwrap();
    (stored[0].state.cursor.as_deref().map(|cursor| count_of(Some(cursor))), stored[0].state.pause.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_a_commit_that_cross_are_both_durable() {
    for at in [240, 260, 280, 290, 299, 300, 301, 305, 320, 340, 349, 360, 500] {
        assert_eq!(paused_at(Duration::from_millis(at)).await, (Some(2), true), "paused {at} ms after the tick began");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_zero_switches_neither_backoff_nor_breaker_off() {
    let rig = Rig::new();
    let limited = scripted("limited", |_| async { Err(PollerError::rate_limited("429", Duration::ZERO)) });
    rig.register(limited, 4);
    rig.apply(vec![job("a", "limited", 3600)]).await;
    pass(2 * 3600).await;
    assert!(rig.tick_count("a") < 100, "{} ticks in two hours", rig.tick_count("a"));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_an_operator_sets_has_the_limit_of_all_cursors() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "count", 60)]).await;
    rig.runner.set_cursor("a", Some(vec![b'1'; MAX_CURSOR])).await.unwrap();
    let refused = rig.runner.set_cursor("a", Some(vec![b'1'; MAX_CURSOR + 1])).await.unwrap_err();
    assert!(
        matches!(&refused, RunnerError::CursorTooLarge(why) if (&*why.job, why.size) == ("a", MAX_CURSOR + 1)),
        "{refused}"
    );
    assert_eq!(rig.show("a").await.cursor_bytes, MAX_CURSOR);
}
