//! Stop claiming → cancel → bounded drain → commit what was acknowledged → give leases back.

use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use super::commands::Reply;
use super::job::Phase;
use super::runs::Stop;
use super::tick::TickResult;

/// After the grace, commits and releases have this long to reach the store.
const LAST_WRITES: Duration = Duration::from_secs(5);

pub(super) struct Draining {
    /// Ticks that have not ended by then are abandoned; later, the end of the whole.
    pub(super) until: Instant,
    abandoned: bool,
    replies: Vec<Reply<()>>,
}

impl Engine {
    pub(super) fn start_draining(&mut self, grace: Duration, reply: Option<Reply<()>>) {
        if let Some(draining) = &mut self.draining {
            draining.replies.extend(reply);
            return;
        }
        let until = Instant::now() + grace;
        self.draining = Some(Draining { until, abandoned: false, replies: reply.into_iter().collect() });
        for (_, tick) in self.runs.iter_mut() {
            if matches!(tick.stop, Stop::No | Stop::Deadline(_)) {
                tick.stop = Stop::Shutdown;
            }
            tick.cancel.cancel();
        }
        // Claims that were not sent are not wanted any more.
        for (slot, _) in std::mem::take(&mut self.outbox.claims) {
            self.claiming = self.claiming.saturating_sub(1);
            if let Some(job) = self.job_mut(slot) {
                job.phase = Phase::Idle;
            }
        }
    }

    /// Whether all is done, so that the engine may end.
    pub(super) fn drained(&mut self) -> bool {
        let Some(draining) = &mut self.draining else { return false };
        let late = Instant::now() >= draining.until;
        if late && !draining.abandoned {
            draining.abandoned = true;
            draining.until += LAST_WRITES;
            self.abandon_all();
            self.flush();
        }
        let ticks = self.runs.iter_mut().any(|(_, tick)| tick.stop != Stop::Abandoned);
        let writes = self.outbox.pending() > 0 || self.outbox.on_the_way() > 0;
        let Some(draining) = &mut self.draining else { return false };
        let over = late && draining.abandoned && Instant::now() >= draining.until;
        if (ticks || writes) && !over {
            return false;
        }
        if ticks || writes {
            tracing::warn!("shutdown ends before everything was written; those ticks are repeated");
        }
        for reply in draining.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
        true
    }

    fn abandon_all(&mut self) {
        let now = self.clock.now();
        let runs: Vec<u32> = self.runs.iter_mut().map(|(run, _)| run).collect();
        for run in runs {
            let Some(tick) = self.runs.remove(run) else { continue };
            if tick.stop == Stop::Abandoned {
                continue;
            }
            tracing::warn!("a tick did not end within the shutdown's grace and was abandoned; it will be repeated");
            tick.task.abort();
            self.settle(&tick, TickResult::Dropped, now);
        }
    }
}
