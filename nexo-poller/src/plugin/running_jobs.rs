use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::contract::TickIdentity;
use crate::wire::TickCancel;

/// The jobs that have a tick here. A daemon that has given a tick up asks for the next one; while the code of the first
/// still runs, that would be an overlap.
#[derive(Clone, Default)]
pub(super) struct RunningJobs(Arc<Mutex<HashMap<Job, RunningTick>>>);

/// Kind, agent and id: what tells a job from all others.
type Job = (Arc<str>, Arc<str>, Arc<str>);

/// The one tick of a job.
struct RunningTick {
    /// Its time, by which a daemon names it.
    now: DateTime<Utc>,
    /// Tells it to end.
    cancel: CancellationToken,
}

/// A job's place among those that run, until it is dropped.
pub(super) struct RunningJob {
    jobs: RunningJobs,
    job: Job,
}

impl RunningJobs {
    /// A place for the job of `tick`, whose time is `now` and which ends on `cancel`; none where it has one.
    pub(super) fn enter(
        &self,
        tick: &TickIdentity,
        now: DateTime<Utc>,
        cancel: &CancellationToken,
    ) -> Option<RunningJob> {
        let job = (Arc::clone(&tick.kind), Arc::clone(&tick.agent_id), Arc::clone(&tick.job_id));
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(job.clone()) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(vacant) => vacant.insert(RunningTick { now, cancel: cancel.clone() }),
        };
        Some(RunningJob { jobs: self.clone(), job })
    }

    /// Tells the tick that `cancel` names to end, where it runs here.
    pub(super) fn cancel(&self, cancel: &TickCancel<'_>) {
        let job = (Arc::from(&*cancel.kind), Arc::from(&*cancel.agent_id), Arc::from(&*cancel.job_id));
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tick) = jobs.get(&job).filter(|tick| tick.now == cancel.now) {
            tick.cancel.cancel();
        }
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.jobs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
    }
}
