use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use nexo_poller::runner::{RunnerEvent, RunnerEventKind};
use nexo_poller::store::{RunOutcome, UnixMs};
use schemars::JsonSchema;
use serde::Serialize;

/// As many ticks of a job are remembered.
const PER_JOB: usize = 20;
/// Of as many jobs at most: a daemon with more has its history in the metrics.
const MOST_JOBS: usize = 10_000;

/// How the last ticks of each job went, since the daemon started.
#[derive(Clone, Default)]
pub(crate) struct RecentTicks(Arc<Mutex<HashMap<Box<str>, VecDeque<RecentTick>>>>);

/// One tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RecentTick {
    ended: UnixMs,
    took_ms: u32,
    outcome: RunOutcome,
}

impl RecentTicks {
    /// Remembers what ends.
    pub(crate) fn note(&self, event: &RunnerEvent<'_>) {
        let (Some(job), RunnerEventKind::Ended { outcome, state, .. }) = (event.job, event.what) else { return };
        let Some(last) = state.last else { return };
        let took_ms = u32::try_from(last.ended.0.saturating_sub(last.started.0)).unwrap_or(u32::MAX);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(job) {
            if all.len() >= MOST_JOBS {
                return;
            }
            all.insert(job.into(), VecDeque::with_capacity(4));
        }
        if let Some(ticks) = all.get_mut(job) {
            if ticks.len() == PER_JOB {
                ticks.pop_front();
            }
            ticks.push_back(RecentTick { ended: last.ended, took_ms, outcome });
        }
    }

    /// The last ticks of `job`, oldest first.
    pub(crate) fn of(&self, job: &str) -> Vec<RecentTick> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(job).map(|ticks| ticks.iter().copied().collect()).unwrap_or_default()
    }
}
