use std::time::Duration;

use super::change::ChangeRequest;
use super::manual::ManualRun;
use super::prepared::Prepared;
use super::reply::Reply;
use crate::runner::error::RunnerError;
use crate::runner::job::JobSpec;
use crate::runner::metrics::Snapshot;
use crate::runner::plan::ReloadPlan;
use crate::runner::status::{JobStatus, RunnerHealth};
use crate::store::{JobState, UnixMs};

/// What the runner's handle asks of its engine.
pub(crate) enum EngineCommand {
    /// What a reload to these jobs would do. They are given back, for they may be a million.
    Compare(Vec<JobSpec>, Reply<(Vec<JobSpec>, ReloadPlan)>),
    /// Do it.
    Install(Box<Install>, Reply<()>),
    List(Reply<Vec<JobStatus>>),
    Show(String, Reply<Result<JobStatus, RunnerError>>),
    Inspect(String, Reply<Result<(JobSpec, JobState), RunnerError>>),
    NextFirings(String, usize, Reply<Result<Vec<UnixMs>, RunnerError>>),
    RunNow(ManualRun),
    /// Somebody else has changed this job in the store.
    Refresh(String),
    Change(String, ChangeRequest),
    Metrics(Reply<Snapshot>),
    Health(Reply<RunnerHealth>),
    Shutdown(Duration, Reply<()>),
}

/// A reload that the store knows of already: new jobs have their rows.
pub(crate) struct Install {
    pub(crate) add: Vec<Prepared>,
    pub(crate) replace: Vec<Prepared>,
    pub(crate) remove: Vec<String>,
}
