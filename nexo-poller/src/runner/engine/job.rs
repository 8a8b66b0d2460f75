use std::sync::Arc;

use super::change::ChangeLine;
use super::index::{FlightKey, KindIndex};
use super::kinds::Generation;
use super::manual::ManualRun;
use crate::runner::job::{CatchUp, FailureTarget};
use crate::runner::metrics::Counters;
use crate::runner::policy::JobRule;
use crate::runner::schedule::Schedule;
use crate::runner::status::LeaseHolder;
use crate::store::{JobState, StoredJob, UnixMs};

/// One job in memory. A million of them must fit, so what few jobs have at a time is behind one pointer.
pub(crate) struct Job {
    /// Never changes: the list of jobs finds the job by it.
    pub(super) id: Arc<str>,

    // The definition. It is written when the job is loaded and when a reload replaces it, by nobody else.
    pub(super) agent: Arc<str>,
    /// Written by the engine when it takes the job over; nothing reads it before. Whoever prepares a job knows its kind's name
    /// only, and keeps it beside the job.
    pub(super) kind: KindIndex,
    pub(super) catch_up: CatchUp,
    pub(super) paused_on_boot: bool,
    pub(super) schedule: Schedule,
    /// As JSON text: a small map as a tree of values takes ten times the bytes.
    pub(super) config: Arc<str>,
    /// A fingerprint of `config`, by which the policy tells a config that was refused from another one.
    pub(super) config_print: i64,
    pub(super) failure_to: Option<Box<FailureTarget>>,
    /// From the id: the same on every machine.
    pub(super) seed: u64,

    /// Set when the definition is gone; the job goes when its tick has ended. Cleared where a definition comes back first.
    pub(super) removed: bool,
    /// Which registration of its kind accepted the present config; `None` until one has. Cleared with each new definition.
    pub(super) accepted_by: Option<Generation>,
    pub(super) stage: Stage,
    /// What the store's last answer about this job said.
    pub(super) stored: StoredAs,
    /// What is durable, or runs ahead of it where the job must not run by the old state in between: a pause that the runner
    /// imposes, a definition that was adopted, a missed run that is left out, a clock that was set back. A tick's outcome never
    /// runs ahead.
    pub(super) state: JobState,
    /// `None` for most jobs: made when there is something to keep in it, and kept from then on.
    pub(super) cold: Option<Box<Cold>>,
}

/// Under what the store knows a job: what each write about it refers to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StoredAs {
    /// The store's name for it. Set when the job is opened, before the engine gets it; it does not change after that.
    pub(super) key: i64,
    /// Of the last answer. A renewal raises it as well.
    pub(super) revision: u64,
    /// Of the last answer: while a tick runs, another one than the tick's means that the tick was fenced off.
    pub(super) epoch: u64,
}

/// What is happening to a job. A job that is not [`Waiting`](Self::Waiting) is nowhere in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the queue, or with nothing to come.
    Waiting,
    /// Its claim is in the outbox or with the store.
    Claiming,
    /// A tick runs.
    Running(FlightKey),
    /// Its outcome, or the lease that is given back, is in the outbox or with the store.
    Settling,
    /// Its run is settled, but the task of its abandoned tick has not gone yet.
    Abandoned,
}

/// A job's cold state: what few jobs have at a time, and counters since the runner started.
#[derive(Default)]
pub(super) struct Cold {
    /// Only while the job waits: with the claim, the run moves on to the outbox.
    pub(super) manual: Option<ManualRun>,
    /// The other daemon that was seen to hold the lease; gone with the next claim that is granted.
    pub(super) holder: Option<LeaseHolder>,
    pub(super) counters: Counters,
    pub(super) changes: ChangeLine,
    /// Why the last slot was passed over, in words.
    pub(super) last_skip: Option<&'static str>,
}

impl Job {
    pub(super) fn rule(&self) -> JobRule<'_> {
        JobRule { schedule: &self.schedule, catch_up: self.catch_up, seed: self.seed, config: self.config_print }
    }

    pub(super) fn cold_mut(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// When the state says that the job is due; `None` while it is paused, or where nothing is to come.
    pub(super) fn due(&self) -> Option<UnixMs> {
        self.state.next.filter(|_| self.state.pause.is_none()).map(|next| next.due)
    }

    pub(super) fn has_manual_run(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.manual.is_some())
    }

    pub(super) fn take_manual_run(&mut self) -> Option<ManualRun> {
        self.cold.as_mut()?.manual.take()
    }

    pub(super) fn is_changing(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.changes.is_under_way())
    }

    pub(super) fn forget_holder(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.holder = None;
        }
    }

    /// Takes over what the store says.
    pub(super) fn know(&mut self, stored: StoredJob) {
        self.stored = StoredAs { key: stored.key, revision: stored.revision, epoch: stored.epoch };
        self.state = stored.state;
    }
}

impl StoredAs {
    /// Whether nobody has written the job since it was made.
    pub(super) fn is_new(self) -> bool {
        self.revision <= 1 && self.epoch == 0
    }

    /// A write was done.
    pub(super) fn moved_on(&mut self, revision: u64, epoch: u64) {
        (self.revision, self.epoch) = (revision, epoch);
    }
}
