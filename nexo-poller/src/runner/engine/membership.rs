//! Several daemons, one set of jobs: whose turn it is first.

use std::time::Duration;

use super::change::ChangeRequest;
use super::core::Engine;
use super::queue::Place;
use crate::runner::policy::Change;

impl Engine {
    /// How long after it is due this daemon leaves `job` to another one that the job prefers.
    pub(super) fn turn_of(&self, job: &str) -> Duration {
        self.options.sharing.as_ref().map_or(Duration::ZERO, |sharing| sharing.delay_of(job))
    }

    /// Daemons have come or gone: jobs that wait are planned again. What was known of those that are taken over may be old;
    /// their claim tells. Those for which nothing is to come (paused, finished) claim nothing, and the news of a change may have
    /// been missed: they are looked at.
    pub(super) fn share_again(&mut self) {
        for index in self.jobs.indices() {
            if !self.is_at_rest(index) || self.jobs.get(index).is_none_or(|job| job.removed) {
                continue;
            }
            match self.queue.place(index) {
                Place::Until(_) => self.schedule(index),
                _ => self.change(index, ChangeRequest::unasked(Change::Adopt)),
            }
        }
    }

    /// Somebody else has changed the job: a write from what this runner knows is answered with what is there, and adopts it. A
    /// job that this runner does not have is none of its business.
    pub(super) fn refresh(&mut self, id: &str) {
        if let Some(index) = self.jobs.find(id) {
            self.change(index, ChangeRequest::unasked(Change::Adopt));
        }
    }
}
