use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::TickIdentity;

/// The jobs that have a tick here. A daemon that has given a tick up asks for the next one; while the code of the first
/// still runs, that would be an overlap.
#[derive(Clone, Default)]
pub(super) struct RunningJobs(Arc<Mutex<HashSet<Job>>>);

/// Kind, agent and id: what tells a job from all others.
type Job = (Arc<str>, Arc<str>, Arc<str>);

/// A job's place among those that run, until it is dropped.
pub(super) struct RunningJob {
    jobs: RunningJobs,
    job: Job,
}

impl RunningJobs {
    /// A place for the job of `tick`, or none where it has one.
    pub(super) fn enter(&self, tick: &TickIdentity) -> Option<RunningJob> {
        let job = (Arc::clone(&tick.kind), Arc::clone(&tick.agent_id), Arc::clone(&tick.job_id));
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone());
        new.then(|| RunningJob { jobs: self.clone(), job })
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.jobs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
    }
}
