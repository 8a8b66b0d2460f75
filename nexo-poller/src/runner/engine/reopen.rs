//! A job whose row is gone from the store.

use std::sync::Arc;

use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::lost_rows::Reopened;
use crate::store::NewJob;

impl Engine {
    /// The store does not know the job any more. Its row is made again from what is known here: the cursor that was durable last
    /// is there, and nothing that the job has published is published a second time.
    pub(super) fn row_is_lost(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        tracing::warn!(job = %job.id, "the job's row is gone from the store; it is made again from what this daemon knows");
        let new = NewJob::new(Arc::clone(&job.id), job.state.clone()).after(job.stored.revision, job.stored.epoch);
        // Nothing else may happen to it meanwhile.
        job.stage = Stage::Settling;
        self.queue.remove(index);
        self.lost_rows.add(index, new);
    }

    pub(super) fn rows_reopened(&mut self, reopened: Reopened) {
        let Reopened { jobs, answer } = reopened;
        match answer {
            Ok(stored) => {
                for (index, stored) in jobs.into_iter().zip(stored) {
                    if let Some(job) = self.jobs.get_mut(index) {
                        job.know(stored);
                        self.run_is_over(index);
                        self.claim_again(index);
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "rows that are gone from the store cannot be made again; tried again with the next claim");
                for index in jobs {
                    self.run_is_over(index);
                    self.claim_again(index);
                }
            }
        }
    }
}
