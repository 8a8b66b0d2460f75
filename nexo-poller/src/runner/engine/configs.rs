//! Configs in the eyes of their pollers.

use super::change::ChangeRequest;
use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::queue::Place;
use crate::contract::{Poller, Redact};
use crate::runner::error::RunnerError;
use crate::runner::policy::{self, Change};
use crate::store::{Pause, PauseCause};
use crate::tick::catch_now;

impl Engine {
    /// A config that its poller refuses is found at load, not at the first tick.
    pub(super) fn check_config(&mut self, index: JobIndex) {
        if self.jobs.get(index).is_some_and(|job| job.state.pause.is_none())
            && let Err(reason) = self.accept_config(index)
        {
            self.quarantine(index, reason);
        }
    }

    /// The job's config in the eyes of the poller that is registered now, asked once for each that comes.
    pub(super) fn accept_config(&mut self, index: JobIndex) -> Result<(), String> {
        let Some(job) = self.jobs.get_mut(index) else { return Ok(()) };
        let kind = self.kinds.get(job.kind);
        let Some(registered) = kind.registered() else { return Ok(()) };
        let generation = Some(kind.generation());
        if job.accepted_by == generation {
            return Ok(());
        }
        validate(registered.poller.as_ref(), &job.config, &self.options.redact)?;
        job.accepted_by = generation;
        Ok(())
    }

    /// A config that its poller refuses stops that one job. A tick that runs already ends under the old config, and its outcome
    /// counts: the job goes to rest when that is durable.
    pub(super) fn quarantine(&mut self, index: JobIndex, reason: String) {
        let at = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        let (kind, config) = (job.kind, job.config_print);
        tracing::error!(job = %job.id, reason, "the job is quarantined until its config is fixed");
        let pause = Pause { cause: PauseCause::Config, reason: reason.clone(), by: "runner".to_owned(), at, config };
        job.state.pause = Some(Box::new(pause.clone()));
        if let Some(manual) = job.take_manual_run() {
            manual.refuse(RunnerError::Quarantined { id: job.id.to_string(), reason });
        }
        let had_place = self.queue.place(index) == Place::Ready;
        self.put_to_rest(index);
        self.change(index, ChangeRequest::unasked(Change::Pause(pause)));
        if had_place {
            self.free_place(kind);
        }
    }

    /// Takes a job that was just paused out of the queue. One whose run is under way goes to rest once its outcome is durable.
    pub(super) fn put_to_rest(&mut self, index: JobIndex) {
        if self.jobs.get(index).is_some_and(|job| job.stage == Stage::Waiting) {
            self.wait_until(index, None);
        }
    }
}

/// Whether `poller` takes this config; a panic counts as a no.
pub(super) fn validate(poller: &dyn Poller, config: &str, redact: &Redact) -> Result<(), String> {
    let value = serde_json::from_str(config).map_err(|error| error.to_string())?;
    // It runs on the engine's own task, and all jobs with it.
    match catch_now(|| poller.validate(&value)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(policy::message_of(&redact.failure(&error, None))),
        Err(panicked) => Err(format!("the poller {panicked} while it checked the config")),
    }
}
