use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::time::Instant;

use super::change::ChangeRequest;
use super::index::JobIndex;
use super::job::StoredAs;
use super::manual::ManualRun;
use super::outbox::Outbox;
use super::pending::{PendingChange, PendingClaim, PendingRelease};
use crate::runner::error::RunnerError;
use crate::runner::policy::Change;
use crate::store::{
    Answers, Batch, ClaimAnswer, JobState, NewJob, StateStore, StoreError, StoredJob, UnixMs, WriteAnswer,
};

const WINDOW: Duration = Duration::from_millis(3);

/// Writes down what it is sent, and refuses everything while it is down.
#[derive(Default)]
struct Notebook {
    down: AtomicBool,
    batches: Mutex<Vec<Batch>>,
}

#[async_trait]
impl StateStore for Notebook {
    async fn open_jobs(&self, _: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        Ok(Vec::new())
    }

    async fn write(&self, batch: Batch) -> Result<Answers, StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is down"));
        }
        let done = |count: usize| vec![WriteAnswer::Missing; count];
        let answers = Answers {
            edits: done(batch.edits.len()),
            releases: done(batch.releases.len()),
            claims: vec![ClaimAnswer::Missing; batch.claims.len()],
            ..Answers::default()
        };
        self.batches.lock().unwrap().push(batch);
        Ok(answers)
    }

    fn now(&self) -> UnixMs {
        UnixMs(0)
    }
}

fn outbox() -> (Outbox, Arc<Notebook>) {
    let store = Arc::new(Notebook::default());
    (Outbox::new(Arc::clone(&store) as Arc<dyn StateStore>, "me", WINDOW), store)
}

fn job(number: usize) -> JobIndex {
    JobIndex::of(number).unwrap()
}

/// The job's number, turned round: keys in another order than numbers.
fn stored(job: JobIndex) -> Option<StoredAs> {
    let key = -i64::try_from(job.position()).unwrap();
    Some(StoredAs { key, revision: 7, epoch: 3 })
}

fn release(number: usize) -> PendingRelease {
    PendingRelease { job: job(number), epoch: 1 }
}

fn claim(number: usize) -> PendingClaim {
    PendingClaim { job: job(number), ttl: Duration::from_secs(30), asked: None, manual: None }
}

fn change(number: usize, request: ChangeRequest) -> PendingChange {
    PendingChange { job: job(number), revision: 7, request, state: JobState::default(), fence: false, skipped: 0 }
}

#[tokio::test(start_paused = true)]
async fn what_comes_within_the_window_goes_in_one_batch_in_the_order_of_the_stores_keys() {
    let (mut outbox, store) = outbox();
    let now = Instant::now();
    (0..3).for_each(|number| outbox.claim(claim(number)));
    assert!(!outbox.is_due(now, false));
    let end = outbox.next_send().unwrap();
    assert!(outbox.is_due(end, false));
    outbox.send(end, UnixMs(5), stored);
    assert_eq!((outbox.open_claims(), outbox.next_send()), (3, None));
    let (entries, answers) = outbox.answered().await;
    assert_eq!((entries.claims.len(), answers.unwrap().claims.len()), (3, 3));
    let keys: Vec<_> = store.batches.lock().unwrap()[0].claims.iter().map(|claim| claim.key).collect();
    assert_eq!(keys, [-2, -1, 0]);
    let asked = entries.claims[0].asked.unwrap();
    assert_eq!((asked.elapsed, asked.wall), (end, UnixMs(5)), "a lease counts from when it was asked for");
    assert_eq!(entries.claims[0].job, job(2), "entries and answers are in one order");
    assert!(outbox.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_waits_for_nothing_but_at_most_three_are_on_the_way() {
    let (mut outbox, _store) = outbox();
    let now = Instant::now();
    let mut sent = 0;
    for number in 0..4096 {
        outbox.release(release(number));
        while outbox.is_due(now, false) {
            outbox.send(now, UnixMs(5), stored);
            sent += 1;
        }
    }
    assert_eq!(sent, 3);
    assert!(outbox.answered().await.1.is_ok());
    assert!(outbox.is_due(now, false), "the next one may go");
}

#[tokio::test(start_paused = true)]
async fn what_failed_waits_before_what_came_since_and_whoever_waits_for_a_change_is_told() {
    let (mut outbox, store) = outbox();
    let now = Instant::now();
    let (reply, _answer) = tokio::sync::oneshot::channel();
    let asked = ChangeRequest { change: Change::Resume, reply: Some(reply) };
    outbox.change(change(1, asked));
    outbox.change(change(2, ChangeRequest::unasked(Change::Adopt)));
    outbox.release(release(3));
    store.down.store(true, Ordering::SeqCst);
    outbox.send(now, UnixMs(5), stored);
    outbox.release(release(4));
    let (entries, answers) = outbox.answered().await;
    assert!(answers.is_err());
    let told: Vec<_> = outbox.failed(entries).into_iter().map(|change| change.job).collect();
    assert_eq!(told, [job(1)]);
    store.down.store(false, Ordering::SeqCst);
    outbox.send(now, UnixMs(5), |job| stored(job).map(|at| StoredAs { key: -at.key, ..at }));
    let (entries, _) = outbox.answered().await;
    let releases: Vec<_> = entries.releases.iter().map(|release| release.job).collect();
    assert_eq!((entries.changes[0].job, releases), (job(2), vec![job(3), job(4)]));
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_job_that_has_gone_is_not_sent_and_whoever_waits_for_its_run_is_told() {
    let (mut outbox, store) = outbox();
    let (reply, answer) = tokio::sync::oneshot::channel();
    outbox.claim(PendingClaim { manual: Some(ManualRun::new("gone", reply)), ..claim(0) });
    outbox.claim(claim(1));
    outbox.send(Instant::now(), UnixMs(5), |index| stored(index).filter(|_| index != job(0)));
    assert_eq!(answer.await.unwrap(), Err(RunnerError::RunLost { id: "gone".into() }));
    assert!(outbox.answered().await.1.is_ok());
    assert_eq!(store.batches.lock().unwrap()[0].claims.len(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    Claim,
    Release,
    Send,
    Answer { down: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Claim),
        3 => Just(Step::Release),
        2 => Just(Step::Send),
        2 => any::<bool>().prop_map(|down| Step::Answer { down }),
    ]
}

proptest! {
    /// With a store that fails whenever it likes: no entry is lost, and none comes back twice.
    #[test]
    fn each_entry_comes_back_once(steps in prop::collection::vec(step(), 0..100)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (put, back) = runtime.block_on(async {
            let (mut outbox, store) = outbox();
            let (mut put, mut back) = (0, BTreeSet::new());
            let mut on_the_way = 0;
            // At the end everything is sent and answered.
            let rest = [Step::Answer { down: false }, Step::Send].into_iter().cycle().take(12);
            for step in steps.into_iter().chain(rest) {
                match step {
                    Step::Claim => outbox.claim(claim(put)),
                    Step::Release => outbox.release(release(put)),
                    Step::Send => {
                        let now = Instant::now();
                        while outbox.is_due(now, true) {
                            outbox.send(now, UnixMs(5), stored);
                            on_the_way += 1;
                        }
                        assert!(on_the_way <= 3);
                        continue;
                    }
                    Step::Answer { .. } if on_the_way == 0 => continue,
                    Step::Answer { down } => {
                        store.down.store(down, Ordering::SeqCst);
                        let (entries, answers) = outbox.answered().await;
                        on_the_way -= 1;
                        if answers.is_err() {
                            assert!(outbox.failed(entries).is_empty());
                            continue;
                        }
                        let claims = entries.claims.iter().map(|claim| claim.job);
                        let releases = entries.releases.iter().map(|release| release.job);
                        assert!(claims.chain(releases).all(|job| back.insert(job)), "it comes back once");
                        continue;
                    }
                }
                put += 1;
            }
            assert!(outbox.is_empty());
            (put, back)
        });
        prop_assert_eq!(back.len(), put);
    }
}
