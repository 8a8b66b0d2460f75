use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::runner::policy::JobRule;
use crate::runner::status::{LeaseHolder, TickReport};
use crate::runner::{CatchUp, FailureTarget, RunnerError, Schedule};
use crate::store::{JobState, StoredJob, UnixMs};

/// One job in memory. A million of them must fit, so what is rare is behind one pointer.
pub(crate) struct Job {
    pub(crate) id: Arc<str>,
    pub(crate) agent: Arc<str>,
    /// Index into the engine's kinds.
    pub(crate) kind: u32,
    pub(crate) catch_up: CatchUp,
    pub(crate) paused_on_boot: bool,
    /// The definition is gone; the job goes when its tick has ended.
    pub(crate) removed: bool,
    pub(crate) phase: Phase,
    /// The kind's generation that accepted the config.
    pub(crate) validated: u32,
    pub(crate) schedule: Schedule,
    /// The config as JSON text: a small map as a tree of values takes ten times the bytes.
    pub(crate) config: Arc<str>,
    pub(crate) config_print: i64,
    pub(crate) failure_to: Option<Box<FailureTarget>>,
    pub(crate) seed: u64,
    pub(crate) key: i64,
    pub(crate) revision: u64,
    pub(crate) epoch: u64,
    pub(crate) state: JobState,
    /// When the timeline looks at it next.
    pub(crate) wake: Option<UnixMs>,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What a job is doing, as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the timeline, or with nothing to come.
    Idle,
    /// Due, and waiting for a place of its kind, or for its kind.
    Parked,
    /// Due, with a place; its claim is to be sent.
    Ready,
    /// Its claim is with the store.
    Claiming,
    /// A tick runs.
    Running(u32),
    /// Its outcome is on the way to the store.
    Committing,
    /// Abandoned after its deadline, and its task has not gone yet.
    Abandoned,
}

/// What few jobs have at a time, and counters since the runner started.
#[derive(Default)]
pub(crate) struct Rare {
    pub(crate) manual: Option<ByHand>,
    pub(crate) holder: Option<LeaseHolder>,
    pub(crate) counters: Counters,
    /// Changes that wait for one that is on the way.
    pub(crate) queued: VecDeque<super::commands::Edit>,
    pub(crate) editing: bool,
    pub(crate) last_skip: Option<&'static str>,
}

pub(crate) type ByHand = oneshot::Sender<Result<TickReport, RunnerError>>;

/// What a job did since the runner started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub(crate) ok: u64,
    pub(crate) transient: u64,
    pub(crate) permanent: u64,
    pub(crate) skipped_overlap: u64,
    pub(crate) skipped_misfire: u64,
    pub(crate) items_seen: u64,
    pub(crate) items_dispatched: u64,
    pub(crate) takeovers: u64,
    pub(crate) latency: crate::runner::metrics::Latency,
}

impl Job {
    pub(crate) fn rule(&self) -> JobRule<'_> {
        JobRule { schedule: &self.schedule, catch_up: self.catch_up, seed: self.seed, config: self.config_print }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes over what the store says.
    pub(crate) fn know(&mut self, stored: StoredJob) {
        self.key = stored.key;
        self.revision = stored.revision;
        self.epoch = stored.epoch;
        self.state = stored.state;
    }
}
