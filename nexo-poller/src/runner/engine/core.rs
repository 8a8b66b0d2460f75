use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::clock_watch::ClockWatch;
use super::commands::EngineCommand;
use super::draining::Draining;
use super::flights::Flights;
use super::index::JobIndex;
use super::job::Stage;
use super::jobs::Jobs;
use super::kinds::Kinds;
use super::lost_rows::LostRows;
use super::outage::StoreOutage;
use super::outbox::Outbox;
use super::queue::{Place, Queue};
use crate::runner::error::RunnerError;
use crate::runner::hosts::HostProvider;
use crate::runner::metrics::Lag;
use crate::runner::options::RunnerOptions;
use crate::runner::policy::Rules;
use crate::runner::registry::PollerRegistry;
use crate::runner::seed::Sequence;
use crate::store::{Clock, StateStore, UnixMs};

/// The parts, and what wakes them. Only its own task touches it, so nothing in it is shared or locked.
pub(crate) struct Engine {
    // What it was started with; not written after that.
    pub(super) options: RunnerOptions,
    /// Those of the options that decisions depend on.
    pub(super) rules: Rules,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hosts: Arc<dyn HostProvider>,
    pub(super) registry: PollerRegistry,

    pub(super) jobs: Jobs,
    pub(super) kinds: Kinds,
    pub(super) queue: Queue,
    pub(super) flights: Flights,
    pub(super) outbox: Outbox,
    pub(super) lost_rows: LostRows,
    /// `Some` from a write that failed until one is answered.
    pub(super) outage: Option<StoreOutage>,
    /// `Some` once a shutdown was asked for, or nobody holds a handle any more; never `None` again.
    pub(super) draining: Option<Draining>,
    /// One number is drawn for each outcome, in the order in which ticks end: the same events give the same backoffs.
    pub(super) random: Sequence,
    /// Written at each start of a run of the schedule.
    pub(super) lag: Lag,

    pub(super) commands: mpsc::UnboundedReceiver<EngineCommand>,
    /// Changes when kinds are registered or unregistered.
    pub(super) registrations: watch::Receiver<u64>,
    /// Changes when the daemons that share the jobs do; `None` where the jobs are not shared.
    pub(super) membership: Option<watch::Receiver<u64>>,
    pub(super) clock_watch: ClockWatch,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn StateStore>,
        registry: PollerRegistry,
        hosts: Arc<dyn HostProvider>,
        options: RunnerOptions,
        clock: Arc<dyn Clock>,
        commands: mpsc::UnboundedReceiver<EngineCommand>,
    ) -> Self {
        Self {
            rules: Rules::from(&options),
            random: Sequence::new(options.seed),
            registrations: registry.changes(),
            membership: options.sharing.as_ref().map(|sharing| sharing.changes()),
            clock_watch: ClockWatch::new(clock.now(), Instant::now()),
            flights: Flights::new(options.cancel_grace),
            lost_rows: LostRows::new(Arc::clone(&store)),
            outbox: Outbox::new(store, &options.owner, options.batch_window),
            jobs: Jobs::default(),
            kinds: Kinds::default(),
            queue: Queue::default(),
            outage: None,
            draining: None,
            lag: Lag::default(),
            options,
            clock,
            hosts,
            registry,
            commands,
        }
    }

    /// Puts a job whose run is over, or that waits, where its state says: into the timeline, or nowhere. One whose run somebody
    /// waits for is due at once.
    pub(super) fn schedule(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get(index) else { return };
        let at = if job.has_manual_run() {
            Some(self.clock.now())
        } else {
            job.due().map(|due| due.plus(self.turn_of(&job.id)))
        };
        self.wait_until(index, at);
    }

    /// Has the job looked at at `at`; `None`: not before something else happens to it.
    pub(super) fn wait_until(&mut self, index: JobIndex, at: Option<UnixMs>) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.stage = Stage::Waiting;
        match at {
            Some(at) => self.queue.wait_until(index, at),
            None => self.queue.remove(index),
        }
    }

    /// Whether nothing of the job is under way, not even in line.
    pub(super) fn is_at_rest(&self, index: JobIndex) -> bool {
        self.jobs.get(index).is_some_and(|job| job.stage == Stage::Waiting)
            && matches!(self.queue.place(index), Place::Nowhere | Place::Until(_))
    }

    /// The job's last run is settled. It may run again once its task has gone too.
    pub(super) fn run_is_over(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        if self.flights.has_abandoned(index) {
            job.stage = Stage::Abandoned;
        } else if job.removed {
            self.wait_until(index, None);
            self.forget_if_done(index);
        } else {
            self.schedule(index);
        }
    }

    /// A job whose definition is gone is forgotten once nothing of it is on the way: the answer to a write would find no job, or
    /// another one that has its number by then. Its state stays in the store.
    pub(super) fn forget_if_done(&mut self, index: JobIndex) {
        if self.is_at_rest(index) && self.jobs.get(index).is_some_and(|job| job.removed && !job.is_changing()) {
            self.queue.remove(index);
            if let Some(mut job) = self.jobs.remove(index)
                && let Some(manual) = job.take_manual_run()
            {
                manual.refuse(Self::unknown(&job.id));
            }
        }
    }

    pub(super) fn find(&self, id: &str) -> Result<JobIndex, RunnerError> {
        self.jobs.find(id).ok_or_else(|| Self::unknown(id))
    }

    pub(super) fn unknown(id: &str) -> RunnerError {
        RunnerError::UnknownJob { id: id.to_owned() }
    }
}
