use std::sync::Arc;
use std::time::Duration;

use super::{JobState, UnixMs};

/// A job that the store may not know yet.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewJob {
    /// The job's id.
    pub id: Arc<str>,
    /// Its state where the store does not know it.
    pub state: JobState,
    /// The revision before its first one: zero, but for a job whose row was lost. Those who knew the old row must not take the new
    /// one for it.
    pub revision: u64,
    /// The epoch to begin with: zero, but for a job whose row was lost. It only grows.
    pub epoch: u64,
}

/// One job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredJob {
    /// The store's own name for the job, by which it is written.
    pub key: i64,
    /// Grows with every write.
    pub revision: u64,
    /// The fencing number: grows with every claim.
    pub epoch: u64,
    /// Who holds the lease, and until when by the store's clock; it may have expired.
    pub lease: Option<(Arc<str>, UnixMs)>,
    /// The state.
    pub state: JobState,
}

/// What to write. Each entry has its own condition; those of one kind are answered in their order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Batch {
    /// In whose name leases are claimed, kept and given back.
    pub owner: Arc<str>,
    /// States after a run; each gives the lease back.
    pub commits: Vec<Commit>,
    /// Changes by somebody who does not hold the lease.
    pub edits: Vec<Edit>,
    /// Leases to take.
    pub claims: Vec<Claim>,
    /// Leases to keep.
    pub renewals: Vec<Renew>,
    /// Leases to give back.
    pub releases: Vec<Release>,
}

/// The outcome of a run: granted only to the holder of the epoch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Commit {
    /// The job.
    pub key: i64,
    /// The epoch that the claim was granted.
    pub epoch: u64,
    /// The revision that `state` was made from.
    pub revision: u64,
    /// What the job becomes.
    pub state: JobState,
}

/// A change by somebody who does not hold the lease: pause, resume, reset, a new schedule.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Edit {
    /// The job.
    pub key: i64,
    /// The revision that `state` was made from.
    pub revision: u64,
    /// What the job becomes.
    pub state: JobState,
    /// Raises the epoch, so that a run in flight can no longer commit.
    pub fence: bool,
}

/// A lease to take.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Claim {
    /// The job.
    pub key: i64,
    /// The revision that the claimant knows. Where the store has moved on it says so and grants nothing.
    pub revision: u64,
    /// The epoch that belongs to that revision.
    pub epoch: u64,
    /// How long the lease holds without a renewal.
    pub ttl: Duration,
}

/// A lease to keep.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Renew {
    /// The job.
    pub key: i64,
    /// The epoch that the claim was granted.
    pub epoch: u64,
    /// How long it holds from now on.
    pub ttl: Duration,
}

/// A lease to give back without a change of state.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Release {
    /// The job.
    pub key: i64,
    /// The epoch that is current.
    pub epoch: u64,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimAnswer {
    /// The lease is the claimant's.
    Granted {
        /// The fencing number to commit under.
        epoch: u64,
        /// The new revision.
        revision: u64,
        /// The lease of another owner had expired.
        takeover: bool,
    },
    /// Another owner holds it.
    Held {
        /// Who.
        owner: Arc<str>,
        /// Until when, by the store's clock.
        until: UnixMs,
        /// How long that is from now.
        remaining: Duration,
    },
    /// The state is not what the claimant knows; here is what it is. Nothing was granted.
    Changed(Box<StoredJob>),
    /// The store does not know the job.
    Missing,
    /// The store cannot do it, now or later, for the reason given; other jobs are not concerned.
    Refused(String),
}

/// What became of a commit, edit, renewal or release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteAnswer {
    /// It is done.
    Done {
        /// The new revision.
        revision: u64,
        /// The current epoch.
        epoch: u64,
    },
    /// The epoch has moved on: the lease is somebody else's, and nothing was changed.
    Fenced,
    /// The epoch holds, but somebody changed the state meanwhile; nothing was changed. Merge and write again.
    Changed(Box<StoredJob>),
    /// The store does not know the job.
    Missing,
    /// The store cannot do it, now or later, for the reason given; nothing was changed, and other jobs are not concerned.
    Refused(String),
}

/// The answers to a [`Batch`], list by list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answers {
    /// Of the commits.
    pub commits: Vec<WriteAnswer>,
    /// Of the edits.
    pub edits: Vec<WriteAnswer>,
    /// Of the claims.
    pub claims: Vec<ClaimAnswer>,
    /// Of the renewals.
    pub renewals: Vec<WriteAnswer>,
    /// Of the releases.
    pub releases: Vec<WriteAnswer>,
}

impl NewJob {
    /// The job `id`, which begins with `state` where the store does not know it.
    pub fn new(id: impl Into<Arc<str>>, state: JobState) -> Self {
        Self { id: id.into(), state, revision: 0, epoch: 0 }
    }

    /// The same for a job whose row was lost, and which the store knew last under `revision` and `epoch`: whoever holds a lease of
    /// then can write nothing under it.
    #[must_use]
    pub fn after(mut self, revision: u64, epoch: u64) -> Self {
        (self.revision, self.epoch) = (revision, epoch.saturating_add(1));
        self
    }
}

impl StoredJob {
    /// A job whose row cannot be used, for this reason: it is paused, under a revision that no row has, so that nothing is written
    /// over what is there.
    #[cfg(any(feature = "sqlite", feature = "jetstream"))]
    pub(super) fn unusable(key: i64, state: JobState, reason: String, now: UnixMs) -> Self {
        let pause = super::Pause::new(super::PauseCause::Permanent, reason, "runner", now);
        Self::new(key, JobState { pause: Some(Box::new(pause)), ..state })
    }

    /// A job that was never claimed and has no lease, under the store's own name for it.
    #[must_use]
    pub const fn new(key: i64, state: JobState) -> Self {
        Self { key, revision: 0, epoch: 0, lease: None, state }
    }
}

impl Commit {
    /// Lets `job` become `state`, under the epoch and from the revision that it has.
    #[must_use]
    pub const fn of(job: &StoredJob, state: JobState) -> Self {
        Self { key: job.key, epoch: job.epoch, revision: job.revision, state }
    }
}

impl Edit {
    /// Lets `job` become `state`, from the revision that it has. With `fence` a run in flight can no longer commit.
    #[must_use]
    pub const fn of(job: &StoredJob, state: JobState, fence: bool) -> Self {
        Self { key: job.key, revision: job.revision, state, fence }
    }
}

impl Claim {
    /// Takes the lease of `job` for `ttl`, if nothing has moved on since it was as it is here.
    #[must_use]
    pub const fn of(job: &StoredJob, ttl: Duration) -> Self {
        Self { key: job.key, revision: job.revision, epoch: job.epoch, ttl }
    }
}

impl Renew {
    /// Keeps the lease of `job`, whose epoch is the one that was granted, for another `ttl`.
    #[must_use]
    pub const fn of(job: &StoredJob, ttl: Duration) -> Self {
        Self { key: job.key, epoch: job.epoch, ttl }
    }
}

impl Release {
    /// Gives back the lease of `job`.
    #[must_use]
    pub const fn of(job: &StoredJob) -> Self {
        Self { key: job.key, epoch: job.epoch }
    }
}

impl Batch {
    /// An empty batch in the name of `owner`.
    #[must_use]
    pub fn of(owner: Arc<str>) -> Self {
        Self { owner, ..Self::default() }
    }

    /// With these commits.
    #[must_use]
    pub fn with_commits(mut self, commits: impl IntoIterator<Item = Commit>) -> Self {
        self.commits = commits.into_iter().collect();
        self
    }

    /// With these edits.
    #[must_use]
    pub fn with_edits(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.edits = edits.into_iter().collect();
        self
    }

    /// With these claims.
    #[must_use]
    pub fn with_claims(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims = claims.into_iter().collect();
        self
    }

    /// With these renewals.
    #[must_use]
    pub fn with_renewals(mut self, renewals: impl IntoIterator<Item = Renew>) -> Self {
        self.renewals = renewals.into_iter().collect();
        self
    }

    /// With these releases.
    #[must_use]
    pub fn with_releases(mut self, releases: impl IntoIterator<Item = Release>) -> Self {
        self.releases = releases.into_iter().collect();
        self
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commits.len() + self.edits.len() + self.claims.len() + self.renewals.len() + self.releases.len()
    }
}
