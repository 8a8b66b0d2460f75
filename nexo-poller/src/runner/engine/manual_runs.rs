//! Runs that somebody asks for.

use super::configs::validate;
use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::manual::ManualRun;
use super::queue::Place;
use crate::runner::error::RunnerError;

impl Engine {
    pub(super) fn run_now(&mut self, manual: ManualRun) {
        let id = manual.job().to_string();
        let index = match self.find(&id) {
            Ok(index) => index,
            Err(error) => return manual.refuse(error),
        };
        if let Err(error) = self.may_run_now(index, id) {
            return manual.refuse(error);
        }
        let Some(job) = self.jobs.get_mut(index) else { return };
        // A job that is ready has its place already. To give it back first would give it to whoever waits for one.
        if self.queue.place(index) != Place::Ready && !self.kinds.take_place(job.kind) {
            // A kind without a free place is refused above.
            return;
        }
        job.cold_mut().manual = Some(manual);
        self.queue.make_ready_first(index);
    }

    fn may_run_now(&self, index: JobIndex, id: String) -> Result<(), RunnerError> {
        let Some(job) = self.jobs.get(index) else { return Err(Self::unknown(&id)) };
        let kind = self.kinds.get(job.kind);
        if self.draining.is_some() {
            return Err(RunnerError::ShutDown);
        }
        if let Some(outage) = &self.outage {
            return Err(RunnerError::Store(outage.error().clone()));
        }
        let busy = |id, reason: &str| Err(RunnerError::Busy { id, reason: reason.to_owned() });
        match job.stage {
            Stage::Running(flight) => {
                let since = self.flights.started(flight).unwrap_or_else(|| self.clock.now());
                return Err(RunnerError::Running { id, since });
            }
            Stage::Claiming | Stage::Settling | Stage::Abandoned => {
                return busy(id, "a tick of it begins or ends at this moment");
            }
            Stage::Waiting if job.has_manual_run() => return busy(id, "a manual run waits already"),
            Stage::Waiting => {}
        }
        let Some(registered) = kind.registered() else {
            return Err(RunnerError::KindMissing { id, kind: kind.name().to_string() });
        };
        if !kind.has_place() && self.queue.place(index) != Place::Ready {
            return busy(id, &format!("{} ticks of kind `{}` run already", kind.places_taken(), kind.name()));
        }
        // Whatever the scheduled runs have found: whoever asks has perhaps just fixed what the config refers to.
        validate(registered.poller.as_ref(), &job.config, &self.options.redact)
            .map_err(|reason| RunnerError::Quarantined { id, reason })
    }
}
