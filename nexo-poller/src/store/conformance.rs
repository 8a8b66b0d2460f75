//! What every [`StateStore`] must keep, as one suite that a store's tests call.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Batch, Claim, ClaimAnswer, Commit, Edit, JobState, NewJob, Release, Renew, StateStore, StoreError, StoredJob,
    UnixMs, WriteAnswer,
};

/// A rule that a store broke.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// Something else than expected.
    #[error("{rule}: expected {expected}, found {found}")]
    Rule {
        /// The rule.
        rule: &'static str,
        /// What should have come.
        expected: String,
        /// What came.
        found: String,
    },
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

const TTL: Duration = Duration::from_secs(30);

/// Checks an empty `store` against every rule. `elapse` makes the store's clock advance by at least the given time.
///
/// # Errors
/// The first [`Violation`].
pub async fn check<S, F>(store: &S, mut elapse: impl FnMut(Duration) -> F) -> Result<(), Violation>
where
    S: StateStore + ?Sized,
    F: Future<Output = ()>,
{
    let (ana, bob): (Arc<str>, Arc<str>) = (Arc::from("ana"), Arc::from("bob"));
    opening_twice_finds_the_same_job(store).await?;
    one_of_two_claims_is_granted(store, &ana, &bob).await?;
    a_stale_epoch_changes_nothing(store, &ana, &bob, &mut elapse).await?;
    a_renewed_lease_outlives_its_first_term(store, &ana, &bob, &mut elapse).await?;
    only_the_owner_releases(store, &ana, &bob).await?;
    an_edit_during_a_run_is_merged_not_lost(store, &ana).await?;
    a_fencing_edit_stops_the_run_in_flight(store, &ana).await?;
    every_field_comes_back(store, &ana).await?;
    unknown_keys_are_answered(store, &ana).await
}

fn expect<T: PartialEq + std::fmt::Debug>(rule: &'static str, found: &T, expected: &T) -> Result<(), Violation> {
    if found == expected { Ok(()) } else { Err(broken(rule, format!("{expected:?}"), found)) }
}

fn broken(rule: &'static str, expected: impl Into<String>, found: &impl std::fmt::Debug) -> Violation {
    Violation::Rule { rule, expected: expected.into(), found: format!("{found:?}") }
}

async fn open<S: StateStore + ?Sized>(store: &S, id: &str) -> Result<StoredJob, Violation> {
    let opened = store.open_jobs(vec![NewJob::new(id, JobState::default())]).await?;
    let found = opened.len();
    opened.into_iter().next().ok_or_else(|| broken("each job that is opened is answered", "1 job", &found))
}

async fn claim<S: StateStore + ?Sized>(store: &S, owner: &Arc<str>, job: &StoredJob) -> Result<ClaimAnswer, Violation> {
    let claim = Claim { key: job.key, revision: job.revision, epoch: job.epoch, ttl: TTL };
    let answers = store.write(Batch { claims: vec![claim], ..Batch::of(Arc::clone(owner)) }).await?;
    answers.claims.into_iter().next().ok_or_else(|| broken("each claim is answered", "1 answer", &0))
}

async fn granted<S: StateStore + ?Sized>(store: &S, owner: &Arc<str>, job: &mut StoredJob) -> Result<bool, Violation> {
    match claim(store, owner, job).await? {
        ClaimAnswer::Granted { epoch, revision, takeover } if epoch > job.epoch => {
            (job.epoch, job.revision) = (epoch, revision);
            Ok(takeover)
        }
        other => Err(broken("a free job is granted under a higher epoch", "Granted", &other)),
    }
}

async fn commit<S: StateStore + ?Sized>(
    store: &S,
    owner: &Arc<str>,
    job: &StoredJob,
    state: JobState,
) -> Result<WriteAnswer, Violation> {
    let commit = Commit { key: job.key, epoch: job.epoch, revision: job.revision, state };
    let answers = store.write(Batch { commits: vec![commit], ..Batch::of(Arc::clone(owner)) }).await?;
    answers.commits.into_iter().next().ok_or_else(|| broken("each commit is answered", "1 answer", &0))
}

fn with_cursor(cursor: &[u8]) -> JobState {
    JobState { cursor: Some(cursor.into()), ..JobState::default() }
}

async fn opening_twice_finds_the_same_job<S: StateStore + ?Sized>(store: &S) -> Result<(), Violation> {
    let first = open(store, "opened").await?;
    let again = open(store, "opened").await?;
    expect("opening a job twice finds the same one", &again, &first)
}

async fn one_of_two_claims_is_granted<S: StateStore + ?Sized>(
    store: &S,
    ana: &Arc<str>,
    bob: &Arc<str>,
) -> Result<(), Violation> {
    let before = open(store, "contended").await?;
    let mut job = before.clone();
    expect("a free lease is no takeover", &granted(store, ana, &mut job).await?, &false)?;
    for known in [&before, &job] {
        match claim(store, bob, known).await? {
            ClaimAnswer::Held { owner, .. } if owner == *ana => {}
            other => return Err(broken("an unexpired lease of another owner is never taken", "Held by ana", &other)),
        }
    }
    let answer = commit(store, ana, &job, with_cursor(b"1")).await?;
    let WriteAnswer::Done { .. } = answer else {
        return Err(broken("the holder commits", "Done", &answer));
    };
    match claim(store, bob, &before).await? {
        ClaimAnswer::Changed(stored) if stored.state == with_cursor(b"1") && stored.lease.is_none() => Ok(()),
        other => Err(broken("a claim from an old revision is told the new state", "Changed", &other)),
    }
}

async fn a_stale_epoch_changes_nothing<S, F>(
    store: &S,
    ana: &Arc<str>,
    bob: &Arc<str>,
    elapse: &mut impl FnMut(Duration) -> F,
) -> Result<(), Violation>
where
    S: StateStore + ?Sized,
    F: Future<Output = ()>,
{
    let mut stale = open(store, "stale").await?;
    granted(store, ana, &mut stale).await?;
    elapse(TTL).await;
    let mut taken = open(store, "stale").await?;
    expect("taking an expired lease is a takeover", &granted(store, bob, &mut taken).await?, &true)?;
    for job in [stale.clone(), StoredJob { revision: taken.revision, ..stale.clone() }] {
        let answer = commit(store, ana, &job, with_cursor(b"lost")).await?;
        expect("a commit under an old epoch is fenced", &answer, &WriteAnswer::Fenced)?;
    }
    let renew = Renew { key: stale.key, epoch: stale.epoch, ttl: TTL };
    let answers = store.write(Batch { renewals: vec![renew], ..Batch::of(Arc::clone(ana)) }).await?;
    expect("a renewal under an old epoch is fenced", &answers.renewals, &vec![WriteAnswer::Fenced])?;
    expect("a fenced write leaves no trace", &open(store, "stale").await?.state, &JobState::default())
}

async fn a_renewed_lease_outlives_its_first_term<S, F>(
    store: &S,
    ana: &Arc<str>,
    bob: &Arc<str>,
    elapse: &mut impl FnMut(Duration) -> F,
) -> Result<(), Violation>
where
    S: StateStore + ?Sized,
    F: Future<Output = ()>,
{
    let mut job = open(store, "renewed").await?;
    granted(store, ana, &mut job).await?;
    elapse(TTL / 2).await;
    let renew = Renew { key: job.key, epoch: job.epoch, ttl: TTL };
    let answers = store.write(Batch { renewals: vec![renew], ..Batch::of(Arc::clone(ana)) }).await?;
    match answers.renewals.as_slice() {
        [WriteAnswer::Done { epoch, revision }] if *epoch == job.epoch => job.revision = *revision,
        other => return Err(broken("the holder renews", "Done", &other)),
    }
    elapse(TTL * 3 / 4).await;
    match claim(store, bob, &job).await? {
        ClaimAnswer::Held { .. } => {}
        other => return Err(broken("a renewed lease outlives its first term", "Held", &other)),
    }
    // A renewal that forgot the term would hold for ever.
    elapse(TTL / 2).await;
    expect("a renewed lease expires too", &granted(store, bob, &mut job).await?, &true)
}

async fn only_the_owner_releases<S: StateStore + ?Sized>(
    store: &S,
    ana: &Arc<str>,
    bob: &Arc<str>,
) -> Result<(), Violation> {
    let mut job = open(store, "released").await?;
    granted(store, ana, &mut job).await?;
    let releases = vec![Release { key: job.key, epoch: job.epoch }];
    let answers = store.write(Batch { releases: releases.clone(), ..Batch::of(Arc::clone(bob)) }).await?;
    expect("nobody else releases a lease", &answers.releases, &vec![WriteAnswer::Fenced])?;
    store.write(Batch { releases, ..Batch::of(Arc::clone(ana)) }).await?;
    let mut job = open(store, "released").await?;
    expect("a released lease is free at once", &granted(store, bob, &mut job).await?, &false)
}

async fn an_edit_during_a_run_is_merged_not_lost<S: StateStore + ?Sized>(
    store: &S,
    ana: &Arc<str>,
) -> Result<(), Violation> {
    let mut job = open(store, "edited").await?;
    granted(store, ana, &mut job).await?;
    let edit = Edit { key: job.key, revision: job.revision, state: with_cursor(b"edited"), fence: false };
    let answers = store.write(Batch { edits: vec![edit], ..Batch::of(Arc::from("operator")) }).await?;
    let [WriteAnswer::Done { revision, epoch }] = answers.edits.as_slice() else {
        return Err(broken("an edit needs no lease", "Done", &answers.edits));
    };
    expect("a plain edit keeps the epoch", epoch, &job.epoch)?;
    match commit(store, ana, &job, with_cursor(b"run")).await? {
        WriteAnswer::Changed(stored) if stored.revision == *revision => job.revision = stored.revision,
        other => return Err(broken("a commit that did not see an edit is told of it", "Changed", &other)),
    }
    match commit(store, ana, &job, with_cursor(b"merged")).await? {
        WriteAnswer::Done { .. } => {
            expect("the merged state is stored", &open(store, "edited").await?.state, &with_cursor(b"merged"))
        }
        other => Err(broken("a merged commit is done", "Done", &other)),
    }
}

async fn a_fencing_edit_stops_the_run_in_flight<S: StateStore + ?Sized>(
    store: &S,
    ana: &Arc<str>,
) -> Result<(), Violation> {
    let mut job = open(store, "fenced").await?;
    granted(store, ana, &mut job).await?;
    let edit = Edit { key: job.key, revision: job.revision, state: JobState::default(), fence: true };
    store.write(Batch { edits: vec![edit], ..Batch::of(Arc::from("operator")) }).await?;
    let answer = commit(store, ana, &job, with_cursor(b"late")).await?;
    expect("after a fencing edit the run in flight cannot commit", &answer, &WriteAnswer::Fenced)?;
    match claim(store, &Arc::from("carl"), &open(store, "fenced").await?).await? {
        ClaimAnswer::Held { .. } => Ok(()),
        other => Err(broken("a fencing edit leaves the lease with its holder, who may still run", "Held", &other)),
    }
}

async fn every_field_comes_back<S: StateStore + ?Sized>(store: &S, ana: &Arc<str>) -> Result<(), Violation> {
    let mut job = open(store, "full").await?;
    granted(store, ana, &mut job).await?;
    let state = full_state();
    let answer = commit(store, ana, &job, state.clone()).await?;
    let WriteAnswer::Done { .. } = answer else {
        return Err(broken("the holder commits", "Done", &answer));
    };
    expect("every field of the state comes back", &(open(store, "full").await?.state == state), &true)
}

async fn unknown_keys_are_answered<S: StateStore + ?Sized>(store: &S, ana: &Arc<str>) -> Result<(), Violation> {
    let nobody = StoredJob { key: 999_999_999, revision: 1, epoch: 0, lease: None, state: JobState::default() };
    expect("an unknown key is missing", &claim(store, ana, &nobody).await?, &ClaimAnswer::Missing)?;
    expect("an unknown key is missing", &commit(store, ana, &nobody, JobState::default()).await?, &WriteAnswer::Missing)
}

/// A state with every field set.
fn full_state() -> JobState {
    use super::{Breaker, FailureNote, LastRun, Pause, PauseCause, RunOutcome, Slot};
    JobState {
        next: Some(Slot { scheduled_at: UnixMs(10), due: UnixMs(11) }),
        cursor: Some([0, 255, 7].into()),
        previous_cursor: Some([].into()),
        attempt: 3,
        errors: 4,
        backoff_until: Some(UnixMs(12)),
        breaker: Breaker::Open { until: UnixMs(13), trips: 2 },
        pause: Some(Box::new(Pause {
            cause: PauseCause::Permanent,
            reason: "it was \"gone\"".to_owned(),
            by: "runner".to_owned(),
            at: UnixMs(14),
            config: -15,
        })),
        last: Some(LastRun {
            scheduled_at: UnixMs(5),
            started: UnixMs(6),
            ended: UnixMs(8),
            outcome: RunOutcome::Config,
        }),
        failure: Some(Box::new(FailureNote { first: "one".to_owned(), last: "two".to_owned() })),
        last_success: Some(UnixMs(-1)),
        last_alert: Some(UnixMs(16)),
        planned_by: i64::MIN,
        skew: 17,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryStore, VirtualClock};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_memory_store_keeps_every_rule() {
        let store = MemoryStore::with_clock(VirtualClock::at(UnixMs(1_700_000_000_000)));
        check(&store, tokio::time::sleep).await.unwrap();
    }
}
