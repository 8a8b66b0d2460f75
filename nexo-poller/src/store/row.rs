//! The conditions of every write, on one row in memory: what the stores share.

use std::sync::Arc;
use std::time::Duration;

use super::{Claim, ClaimAnswer, Commit, Edit, JobState, NewJob, Release, Renew, StoredJob, UnixMs, WriteAnswer};

/// A row with its lease.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: i64,
    pub(super) revision: u64,
    pub(super) epoch: u64,
    pub(super) lease: Option<Lease>,
    pub(super) state: JobState,
}

#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) owner: Arc<str>,
    pub(super) until: UnixMs,
    pub(super) ttl: Duration,
}

impl Row {
    pub(super) fn of(key: i64, new: &NewJob) -> Self {
        let state = new.state.clone();
        Self { key, revision: new.revision.saturating_add(1), epoch: new.epoch, lease: None, state }
    }

    pub(super) fn to_stored(&self) -> StoredJob {
        StoredJob {
            key: self.key,
            revision: self.revision,
            epoch: self.epoch,
            lease: self.lease.as_ref().map(|lease| (Arc::clone(&lease.owner), lease.until)),
            state: self.state.clone(),
        }
    }

    fn changed(&self) -> Box<StoredJob> {
        Box::new(self.to_stored())
    }

    fn done(&self) -> WriteAnswer {
        WriteAnswer::Done { revision: self.revision, epoch: self.epoch }
    }

    pub(super) fn claim(&mut self, claim: &Claim, owner: &Arc<str>, now: UnixMs) -> ClaimAnswer {
        let mut takeover = false;
        if let Some(lease) = &mut self.lease {
            // The clock was set back since this lease was given: it may not outlast its own length because of that.
            lease.until = lease.until.min(now.plus(lease.ttl));
            if lease.until > now {
                if lease.owner == *owner && self.epoch != claim.epoch {
                    // The claimant has this lease and does not know it: an answer of ours was lost, or somebody has fenced its run off.
                    return ClaimAnswer::Changed(self.changed());
                }
                let (owner, until) = (Arc::clone(&lease.owner), lease.until);
                return ClaimAnswer::Held { owner, until, remaining: until.since(now) };
            }
            takeover = lease.owner != *owner;
        }
        if self.revision != claim.revision {
            return ClaimAnswer::Changed(self.changed());
        }
        self.lease = Some(Lease { owner: Arc::clone(owner), until: now.plus(claim.ttl), ttl: claim.ttl });
        self.epoch += 1;
        self.revision += 1;
        ClaimAnswer::Granted { epoch: self.epoch, revision: self.revision, takeover }
    }

    pub(super) fn commit(&mut self, commit: Commit) -> WriteAnswer {
        if self.epoch != commit.epoch {
            return WriteAnswer::Fenced;
        }
        if self.revision != commit.revision {
            return WriteAnswer::Changed(self.changed());
        }
        self.state = commit.state;
        self.lease = None;
        self.revision += 1;
        self.done()
    }

    pub(super) fn edit(&mut self, edit: Edit) -> WriteAnswer {
        if self.revision != edit.revision {
            return WriteAnswer::Changed(self.changed());
        }
        self.state = edit.state;
        self.epoch += u64::from(edit.fence);
        self.revision += 1;
        self.done()
    }

    pub(super) fn renew(&mut self, renew: &Renew, owner: &Arc<str>, now: UnixMs) -> WriteAnswer {
        match &mut self.lease {
            Some(lease) if self.epoch == renew.epoch && lease.owner == *owner => {
                lease.until = now.plus(renew.ttl);
                lease.ttl = renew.ttl;
                self.done()
            }
            _ => WriteAnswer::Fenced,
        }
    }

    pub(super) fn release(&mut self, release: &Release, owner: &Arc<str>) -> WriteAnswer {
        match &self.lease {
            Some(lease) if self.epoch == release.epoch && lease.owner == *owner => {
                self.lease = None;
                self.revision += 1;
                self.done()
            }
            _ => WriteAnswer::Fenced,
        }
    }
}
