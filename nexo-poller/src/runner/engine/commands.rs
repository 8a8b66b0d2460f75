use std::time::Duration;

use tokio::sync::oneshot;

use super::job::ByHand;
use super::prepared::Prepared;
use crate::runner::metrics::Snapshot;
use crate::runner::policy::Change;
use crate::runner::{JobSpec, JobStatus, ReloadPlan, RunnerError, RunnerHealth};
use crate::store::{JobState, UnixMs};

pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What the runner's handle asks of its engine.
pub(crate) enum Command {
    /// What a reload to these jobs would do.
    Compare(Vec<JobSpec>, Reply<(Vec<JobSpec>, ReloadPlan)>),
    /// Do it.
    Install(Box<Install>, Reply<()>),
    List(Reply<Vec<JobStatus>>),
    Show(String, Reply<Result<JobStatus, RunnerError>>),
    Inspect(String, Reply<Result<(JobSpec, JobState), RunnerError>>),
    NextFirings(String, usize, Reply<Result<Vec<UnixMs>, RunnerError>>),
    RunNow(String, ByHand),
    /// Somebody else has changed this job in the store.
    Refresh(String),
    Edit(String, Edit),
    Metrics(Reply<Snapshot>),
    Health(Reply<RunnerHealth>),
    Shutdown(Duration, Reply<()>),
}

/// A reload that the store knows of already.
pub(crate) struct Install {
    pub(crate) add: Vec<Prepared>,
    pub(crate) replace: Vec<Prepared>,
    pub(crate) remove: Vec<String>,
}

/// A change to one job that must be durable before it is answered.
pub(crate) struct Edit {
    pub(crate) change: Change,
    pub(crate) reply: Option<Reply<Result<(), RunnerError>>>,
}
