use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::RunnerError;
use super::job_id::check_job_id;
use super::schedule::Schedule;
use crate::contract::check_kind;

/// One job: a kind of poller, an agent that owns it, a schedule, a config.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct JobSpec {
    /// Unique; the name of its state in the store, so a job that is renamed starts over.
    pub id: String,
    /// The kind of poller.
    pub kind: String,
    /// The agent in whose name credentials are resolved.
    pub agent: String,
    /// When it runs.
    pub schedule: Schedule,
    /// What the poller is given.
    pub config: Value,
    /// Who is told when the job stops working.
    pub failure_to: Option<FailureTarget>,
    /// The job starts paused each time the runner starts.
    pub paused_on_boot: bool,
    /// What happens to runs that were missed while nothing ran.
    pub catch_up: CatchUp,
}

/// A channel of the job's agent, and a recipient there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FailureTarget {
    /// The channel's name.
    pub channel: String,
    /// The recipient.
    #[serde(alias = "recipient")]
    pub to: String,
}

/// What happens to runs that were missed by more than the grace of 60 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// One run stands for all of them.
    #[default]
    Once,
    /// They are left out; the job waits for its next slot.
    Skip,
    /// Each is run, oldest first: at most the last 100, and none older than a day.
    All,
}

impl FailureTarget {
    /// The recipient `to` on `channel`.
    pub fn new(channel: impl Into<String>, to: impl Into<String>) -> Self {
        Self { channel: channel.into(), to: to.into() }
    }
}

impl JobSpec {
    /// A job with an empty config and the defaults.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: impl Into<String>, agent: impl Into<String>, schedule: Schedule) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            agent: agent.into(),
            schedule,
            config: Value::Object(serde_json::Map::new()),
            failure_to: None,
            paused_on_boot: false,
            catch_up: CatchUp::default(),
        }
    }

    /// The same job with `config`.
    #[must_use]
    pub fn with_config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// The same job, whose end of working `target` is told.
    #[must_use]
    pub fn with_failure_to(mut self, target: impl Into<Option<FailureTarget>>) -> Self {
        self.failure_to = target.into();
        self
    }

    /// The same job, paused each time the runner starts.
    #[must_use]
    pub fn with_paused_on_boot(mut self, paused: bool) -> Self {
        self.paused_on_boot = paused;
        self
    }

    /// The same job, which makes up for missed runs as `catch_up` says.
    #[must_use]
    pub fn with_catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// Checks what can be checked without the poller.
    ///
    /// # Errors
    /// [`RunnerError::InvalidJob`], which names the field.
    pub fn check(&self) -> Result<(), RunnerError> {
        let refuse = |reason: String| Err(RunnerError::InvalidJob { id: self.id.clone(), reason });
        if let Err(error) = check_job_id(&self.id) {
            return refuse(error.to_string());
        }
        if self.agent.is_empty() {
            return refuse("`agent` is empty; name the agent that owns the job".to_owned());
        }
        check_kind(&self.kind).or_else(|error| refuse(error.to_string()))
    }
}

/// Shows no config: it may hold a secret.
impl fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSpec")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("agent", &self.agent)
            .field("schedule", &self.schedule)
            .field("failure_to", &self.failure_to)
            .field("paused_on_boot", &self.paused_on_boot)
            .field("catch_up", &self.catch_up)
            .finish_non_exhaustive()
    }
}
