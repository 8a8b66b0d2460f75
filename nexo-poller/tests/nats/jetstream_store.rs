//! Job state in a bucket, with a real server.
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::store::{JetStreamOptions, JetStreamStore, JobState, StateStore, UnixMs, VirtualClock};
use nexo_poller::unstable::{
    Batch, Claim, ClaimAnswer, Commit, NewJob, Renew, StoredJob, WriteAnswer, conformance::store as conformance,
};
use nexo_poller_testkit::NatsServer;

async fn open(server: &NatsServer, clock: Option<Arc<VirtualClock>>) -> JetStreamStore {
    let client = async_nats::connect(server.url()).await.unwrap();
    let options = JetStreamOptions::default().with_history(5);
    let options = match clock {
        Some(clock) => options.with_clock(clock),
        None => options,
    };
    JetStreamStore::open(client, options).await.unwrap()
}

async fn job(store: &JetStreamStore, id: &str) -> StoredJob {
    let job = NewJob::new(id, JobState::default());
    store.open_jobs(vec![job]).await.unwrap().remove(0)
}

async fn claim(store: &JetStreamStore, owner: &str, job: &StoredJob, ttl: Duration) -> ClaimAnswer {
    let batch = Batch::of(owner.into()).with_claims([Claim::of(job, ttl)]);
    store.write(batch).await.unwrap().claims.remove(0)
}

#[tokio::test]
async fn the_jetstream_store_keeps_every_rule() {
    let server = NatsServer::start().unwrap();
    let clock = Arc::new(VirtualClock::at(UnixMs(1_700_000_000_000)));
    let store = open(&server, Some(Arc::clone(&clock))).await;
    let elapse = |time: Duration| {
        clock.jump(i64::try_from(time.as_millis()).unwrap());
        std::future::ready(())
    };
    conformance::check(&store, elapse).await.unwrap();
}

#[tokio::test]
async fn of_two_daemons_that_claim_a_thousand_jobs_each_job_has_one() {
    let server = NatsServer::start().unwrap();
    let stores = [open(&server, None).await, open(&server, None).await];
    let ids = || (0..1000).map(|n| NewJob::new(format!("job.{n} ü").replace(' ', "/"), JobState::default()));
    let mut granted = Vec::new();
    let claiming = stores.iter().zip(["ana", "bob"]).map(|(store, owner)| async move {
        let jobs = store.open_jobs(ids().collect()).await.unwrap();
        let claims = jobs.iter().map(|job| Claim::of(job, Duration::from_secs(60)));
        store.write(Batch::of(owner.into()).with_claims(claims)).await.unwrap().claims
    });
    for answers in futures_util::future::join_all(claiming).await {
        assert_eq!(answers.len(), 1000);
        granted.push(answers.iter().map(|answer| matches!(answer, ClaimAnswer::Granted { .. })).collect::<Vec<_>>());
    }
    assert!(granted[0].iter().zip(&granted[1]).all(|(ana, bob)| ana != bob), "each job is granted exactly once");
}

#[tokio::test]
async fn a_lease_that_is_renewed_unseen_is_not_taken_however_long_ago_it_was_looked_at() {
    let server = NatsServer::start().unwrap();
    // Bob's clock runs a thousand times as fast: he believes that everything has run out.
    let clock = Arc::new(VirtualClock::at(UnixMs(0)));
    let (ana, bob) = (open(&server, None).await, open(&server, Some(Arc::clone(&clock))).await);
    let ttl = Duration::from_secs(60);
    let mut held = job(&ana, "a").await;
    let ClaimAnswer::Granted { epoch, revision, .. } = claim(&ana, "ana", &held, ttl).await else { panic!("free") };
    (held.epoch, held.revision) = (epoch, revision);
    let seen = job(&bob, "a").await;
    assert!(matches!(claim(&bob, "bob", &seen, ttl).await, ClaimAnswer::Held { .. }));
    ana.write(Batch::of("ana".into()).with_renewals([Renew::of(&held, ttl)])).await.unwrap();
    clock.jump(3_600_000);
    assert!(matches!(claim(&bob, "bob", &seen, ttl).await, ClaimAnswer::Held { .. }), "the renewal was not seen");
    // Now he has seen it; without another renewal it runs out.
    clock.jump(60_000);
    let taken = claim(&bob, "bob", &seen, ttl).await;
    assert!(matches!(taken, ClaimAnswer::Granted { takeover: true, .. }), "{taken:?}");
    let commit = Commit::of(&held, JobState::with_cursor([1]));
    let answers = ana.write(Batch::of("ana".into()).with_commits([commit])).await.unwrap();
    assert_eq!(answers.commits, [WriteAnswer::Fenced]);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_a_server_that_is_away_is_an_error_in_time() {
    let mut server = NatsServer::start().unwrap();
    let store = open(&server, None).await;
    let mut held = job(&store, "a").await;
    let ClaimAnswer::Granted { epoch, revision, .. } = claim(&store, "ana", &held, Duration::from_secs(60)).await
    else {
        panic!("free");
    };
    (held.epoch, held.revision) = (epoch, revision);
    let commit = |cursor: u8, revision| {
        let mut commit = Commit::of(&held, JobState::with_cursor([cursor]));
        commit.revision = revision;
        Batch::of("ana".into()).with_commits([commit])
    };
    store.write(commit(1, held.revision)).await.unwrap();
    server.kill();
    let failed = tokio::time::timeout(Duration::from_secs(10), store.write(commit(2, held.revision + 1))).await;
    let said = failed.unwrap().unwrap_err().to_string();
    assert!(said.contains("NATS server cannot be reached") || said.contains("does not answer"), "{said}");
    server.restart().unwrap();
    let again = loop {
        match store.write(commit(2, held.revision + 1)).await {
            Ok(answers) => break answers.commits[0].clone(),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    // It had either arrived or not; both are one outcome.
    match again {
        WriteAnswer::Done { .. } => {}
        WriteAnswer::Changed(stored) => assert_eq!(stored.state.cursor.as_deref(), Some([2].as_slice())),
        other => panic!("{other:?}"),
    }
    assert_eq!(job(&open(&server, None).await, "a").await.state.cursor.as_deref(), Some([2].as_slice()));
}

#[tokio::test]
async fn an_operator_can_look_back_at_cursors() {
    let server = NatsServer::start().unwrap();
    let store = open(&server, None).await;
    let mut known = job(&store, "a").await;
    for cursor in 0..3 {
        let ClaimAnswer::Granted { epoch, revision, .. } = claim(&store, "o", &known, Duration::from_secs(60)).await
        else {
            panic!("free");
        };
        (known.epoch, known.revision) = (epoch, revision);
        let commit = Commit::of(&known, JobState::with_cursor([cursor]));
        store.write(Batch::of("o".into()).with_commits([commit])).await.unwrap();
        known = job(&store, "a").await;
    }
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let bucket = context.get_key_value("nexo-poller").await.unwrap();
    let mut history = bucket.history("a").await.unwrap();
    let mut cursors = Vec::new();
    while let Some(Ok(entry)) = futures_util::StreamExt::next(&mut history).await {
        let entry: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        cursors.push(entry["state"]["cursor"].as_str().map(str::to_owned));
    }
    assert_eq!(cursors.len(), 5, "as deep as was asked for");
    let last = Some(nexo_poller::wire::encode_cursor(&[2]));
    assert_eq!(cursors.last(), Some(&last));
    assert!(cursors.contains(&Some(nexo_poller::wire::encode_cursor(&[1]))));
}

#[tokio::test]
async fn what_is_too_large_or_no_job_state_is_refused_to_its_own_job_alone() {
    let server = NatsServer::start().unwrap();
    let store = open(&server, None).await;
    let (large, other) = (job(&store, "large").await, job(&store, "other").await);
    let mut commits = Vec::new();
    for (job, bytes) in [(&large, 900_000), (&other, 9)] {
        let ClaimAnswer::Granted { epoch, revision, .. } = claim(&store, "o", job, Duration::from_secs(60)).await
        else {
            panic!("free");
        };
        let mut claimed = job.clone();
        (claimed.epoch, claimed.revision) = (epoch, revision);
        commits.push(Commit::of(&claimed, JobState::with_cursor(vec![7; bytes])));
    }
    let answers = store.write(Batch::of("o".into()).with_commits(commits)).await.unwrap();
    assert!(
        matches!(&answers.commits[..], [WriteAnswer::Refused(why), WriteAnswer::Done { .. }] if why.contains("too large")),
        "{:?}",
        answers.commits
    );

    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let bucket = context.get_key_value("nexo-poller").await.unwrap();
    bucket.put("large", "x".into()).await.unwrap();
    let other = job(&store, "other").await;
    let claims = [&large, &other].map(|job| Claim::of(job, Duration::from_secs(60)));
    let answers = store.write(Batch::of("o".into()).with_claims(claims)).await.unwrap();
    assert!(
        matches!(&answers.claims[..], [ClaimAnswer::Refused(why), ClaimAnswer::Granted { .. }] if why.contains("`large`")),
        "{:?}",
        answers.claims
    );
    // A daemon that starts now takes the others, and says of this one what is wrong.
    let later = open(&server, None).await;
    let pause = job(&later, "large").await.state.pause.unwrap();
    assert!(pause.reason.contains("fix it or delete it"), "{pause:?}");
    assert_eq!(job(&later, "other").await.state.cursor.as_deref(), Some([7; 9].as_slice()));
    // Deleted, it is made again.
    bucket.delete("large").await.unwrap();
    assert_eq!(job(&later, "large").await.state, JobState::default());

    // One that a runner knew is made again so that nobody takes it for the old one.
    bucket.delete("other").await.unwrap();
    let known = job(&store, "other").await;
    bucket.delete("other").await.unwrap();
    let missing = claim(&later, "o", &known, Duration::from_secs(60)).await;
    assert_eq!(missing, ClaimAnswer::Missing);
    let again = NewJob::new("other", JobState::with_cursor([7])).after(41, 8);
    let made = later.open_jobs(vec![again]).await.unwrap().remove(0);
    assert_eq!((made.revision, made.epoch, made.state.cursor.as_deref()), (42, 9, Some([7].as_slice())));
    assert!(matches!(claim(&later, "o", &made, Duration::from_secs(60)).await, ClaimAnswer::Granted { .. }));
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_granted_again_and_held_from_then_on() {
    let server = NatsServer::start().unwrap();
    let clock = Arc::new(VirtualClock::at(UnixMs(1_700_000_000_000)));
    let stores = [open(&server, Some(Arc::clone(&clock))).await, open(&server, Some(Arc::clone(&clock))).await];
    let (first, ttl) = (job(&stores[0], "a").await, Duration::from_secs(30));
    let seen = job(&stores[1], "a").await;
    let granted = claim(&stores[0], "ana", &first, ttl).await;
    assert!(matches!(granted, ClaimAnswer::Granted { .. }), "{granted:?}");
    assert!(matches!(claim(&stores[1], "bob", &seen, ttl).await, ClaimAnswer::Held { .. }));
    clock.jump(27_000);
    // Another entry of the same batch has failed: the runner knows of no grant, and asks again.
    assert_eq!(claim(&stores[0], "ana", &first, ttl).await, granted);
    // Bob has seen the first entry for as long as its lease was, but that is not what is there now.
    clock.jump(4_000);
    let held = claim(&stores[1], "bob", &seen, ttl).await;
    assert!(matches!(held, ClaimAnswer::Held { remaining, .. } if remaining > Duration::from_secs(20)), "{held:?}");
}
