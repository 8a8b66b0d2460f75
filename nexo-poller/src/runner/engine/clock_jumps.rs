//! What a clock that was set, or a machine that slept, means to the jobs.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Engine;
use crate::runner::policy::{self, Change};

impl Engine {
    pub(super) fn notice_clock_jump(&mut self) {
        let wall = self.clock.now();
        let Some(jump) = self.clock_watch.jump(wall, Instant::now()) else { return };
        tracing::warn!(by_ms = jump, "the wall clock was set, or the machine slept; jobs are planned again");
        if jump > 0 {
            // Leases went on while the machine slept, or the store goes by the clock that was set.
            self.flights.doubt(Instant::now(), Duration::from_millis(jump.unsigned_abs()));
        }
        if jump < 0 {
            // In memory only: each job's next commit stores it, and a restart before that finds out by itself, from states that
            // end in the future. A change of its own for every job at once would keep the store from everything else.
            for index in self.jobs.indices() {
                let Some(job) = self.jobs.get_mut(index) else { continue };
                let state = std::mem::take(&mut job.state);
                job.state = policy::edit(&job.rule(), &self.rules, state, &Change::ClockSetBack, wall);
                if self.is_at_rest(index) {
                    self.schedule(index);
                }
            }
        }
        self.observe_clock(jump);
        self.spread_missed(wall);
    }
}
