//! Ticks that take long: leases to renew, deadlines, ticks to abandon.

use tokio::time::Instant;

use super::Engine;
use super::outbox::LeaseNote;
use super::runs::Stop;
use super::tick::TickResult;

impl Engine {
    /// Looks at the ticks in flight, where one needs it.
    pub(super) fn attend_to_runs(&mut self) {
        let elapsed = Instant::now();
        if self.runs.next_check().is_none_or(|at| at > elapsed) {
            return;
        }
        let grace = self.options.cancel_grace;
        let mut abandoned = Vec::new();
        for (run, tick) in self.runs.iter_mut() {
            if tick.stop == Stop::No && tick.deadline <= elapsed {
                tick.stop = Stop::Deadline(elapsed + grace);
                tick.cancel.cancel();
            }
            if matches!(tick.stop, Stop::No | Stop::Deadline(_)) && tick.give_up_at <= elapsed {
                // The lease could not be renewed for so long that somebody else may have the job any moment.
                tick.stop = Stop::Void(elapsed + grace);
                tick.cancel.cancel();
            }
            if let Stop::Deadline(at) | Stop::Void(at) = tick.stop
                && at <= elapsed
            {
                abandoned.push(run);
            } else if tick.renew_at <= elapsed && matches!(tick.stop, Stop::No | Stop::Deadline(_) | Stop::Shutdown) {
                tick.renew_at = elapsed + tick.ttl / 4;
                self.outbox.renewals.push(LeaseNote { slot: tick.slot, epoch: tick.epoch, run, ttl: tick.ttl });
            }
        }
        for run in abandoned {
            self.abandon(run);
        }
        self.runs.refresh_next_check();
    }

    /// A tick that does not stop is left to itself. Its outcome is settled now; its place, and its job, are free when its
    /// task is gone, because a task that blocks its thread cannot be ended.
    fn abandon(&mut self, run: u32) {
        let now = self.clock.now();
        let Some(tick) = self.runs.remove(run) else { return };
        tick.task.abort();
        self.abandoned.insert(tick.slot);
        self.settle(&tick, TickResult::Dropped, now);
        self.runs.keep(run, super::runs::RunningTick { stop: Stop::Abandoned, ..tick });
    }

    /// Whatever this tick returns no longer counts.
    pub(super) fn void(&mut self, run: u32) {
        let until = Instant::now() + self.options.cancel_grace;
        if let Some(tick) = self.runs.get_mut(run)
            && tick.stop != Stop::Abandoned
        {
            tick.stop = Stop::Void(until);
            tick.cancel.cancel();
        }
        self.runs.refresh_next_check();
    }
}
