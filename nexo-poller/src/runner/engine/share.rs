//! Several daemons, one set of jobs: whose turn it is first.

use tokio::sync::watch;

use super::Engine;
use super::job::Phase;
use crate::runner::policy::Change;
use crate::store::UnixMs;

impl Engine {
    /// When this daemon looks at a job that is due at `at`: then, or later where the job prefers another daemon.
    pub(super) fn turn(&self, slot: u32, at: UnixMs) -> UnixMs {
        match (&self.options.sharing, self.job(slot)) {
            (Some(sharing), Some(job)) => at.plus(sharing.yields(&job.id)),
            _ => at,
        }
    }

    /// Daemons have come or gone: jobs that wait are planned anew. What was known of those that are taken over may be old;
    /// their claim tells. Those for which nothing is to come (paused, finished) claim nothing, and a word of a change may have
    /// been missed: they are looked at.
    pub(super) fn share_anew(&mut self) {
        for slot in 0..u32::try_from(self.jobs.len()).unwrap_or(u32::MAX) {
            match self.job(slot).filter(|job| job.phase == Phase::Idle && !job.removed).map(|job| job.wake) {
                Some(Some(_)) => self.schedule(slot),
                Some(None) => self.edit_quietly(slot, Change::Adopt),
                None => {}
            }
        }
    }

    /// Somebody else has changed the job: a write from what this runner knows is told what is there, and adopts it.
    pub(super) fn refresh(&mut self, id: &str) {
        if let Some(&slot) = self.by_id.get(id) {
            self.edit_quietly(slot, Change::Adopt);
        }
    }
}

/// Waits for another set of daemons; for ever, where jobs are not shared.
pub(super) async fn changed(neighbours: &mut Option<watch::Receiver<u64>>) {
    if let Some(changes) = neighbours
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
