use std::time::Duration;

use tokio::time::Instant;

use super::index::{JobIndex, KindIndex};
use super::manual::ManualRun;
use super::tick::TickTask;
use crate::store::UnixMs;

/// What is fixed about a tick from its start on.
///
/// Its deadline and its lease are counted in elapsed time: setting the wall clock moves neither.
#[derive(Debug, Clone, Copy)]
pub(super) struct TickStart {
    pub(super) job: JobIndex,
    /// The kind whose place it holds: the job's at the start, whatever a reload has made of the job meanwhile.
    pub(super) kind: KindIndex,
    /// The claim's. The outcome counts while it is still the job's.
    pub(super) epoch: u64,
    /// The run's key within the job.
    pub(super) scheduled_at: UnixMs,
    pub(super) started: UnixMs,
    pub(super) started_at: Instant,
    /// When its lease was asked for: the lease runs from a moment after that.
    pub(super) leased_at: Instant,
    pub(super) timeout: Duration,
    /// How long the lease holds after the claim and after each renewal.
    pub(super) ttl: Duration,
}

/// A tick in flight.
pub(super) struct Flight {
    pub(super) start: TickStart,
    /// Taken when the tick is settled.
    pub(super) manual: Option<ManualRun>,
    /// When the next renewal is asked for. Set with each one that is asked for, whether it is answered or not.
    pub(super) renew_at: Instant,
    /// Without a renewal by then, the lease may be somebody else's soon. Set with each one that was granted.
    pub(super) give_up_at: Instant,
    pub(super) stop: Stop,
    pub(super) task: TickTask,
}

/// Why a tick was asked to stop. It only moves on: `No`, then `Deadline` or `Shutdown`, then `Void`, then `Abandoned`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was not.
    No,
    /// It had its time. What it returns within the grace still counts.
    Deadline {
        /// The end of the grace.
        abandon_at: Instant,
    },
    /// The runner shuts down. Its grace is the shutdown's, and its lease is renewed until then.
    Shutdown,
    /// Its lease is gone or its job was reset: whatever it returns is void.
    Void {
        /// The end of the grace.
        abandon_at: Instant,
    },
    /// It was abandoned; its outcome is settled, only its task has not gone.
    Abandoned {
        /// Its lease was not given back: as long as its task has not gone, it may still be at work.
        keeps_lease: bool,
    },
}

/// A tick whose outcome is to be settled: it has ended, or was abandoned.
pub(super) struct Landed {
    pub(super) start: TickStart,
    /// Why it was asked to stop, if it was.
    pub(super) stop: Stop,
    pub(super) manual: Option<ManualRun>,
}

/// How long after a lease of `ttl` was asked for nothing may go by it any more.
pub(super) fn give_up_after(ttl: Duration) -> Duration {
    ttl.mul_f64(0.7)
}

impl TickStart {
    /// Two renewals fall due before the tick is given up, so one may be lost.
    pub(super) fn renew_every(&self) -> Duration {
        self.ttl / 4
    }

    /// How long after its last renewal a tick is given up. What is left of the lease then (9 s of the shortest one, by default)
    /// is for the grace in which the cancelled tick ends, so that it has ended before another runner may start the job.
    pub(super) fn give_up_after(&self) -> Duration {
        give_up_after(self.ttl)
    }

    fn deadline(&self) -> Instant {
        self.started_at + self.timeout
    }
}

impl Flight {
    pub(super) fn new(start: TickStart, manual: Option<ManualRun>, task: TickTask) -> Self {
        let renew_at = start.leased_at + start.renew_every();
        let give_up_at = start.leased_at + start.give_up_after();
        Self { start, manual, renew_at, give_up_at, stop: Stop::No, task }
    }

    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.stop == Stop::No && self.start.deadline() <= now
    }

    pub(super) fn has_lost_its_lease(&self, now: Instant) -> bool {
        matches!(self.stop, Stop::No | Stop::Deadline { .. }) && self.give_up_at <= now
    }

    pub(super) fn is_to_be_abandoned(&self, now: Instant) -> bool {
        matches!(self.stop, Stop::Deadline { abandon_at } | Stop::Void { abandon_at } if abandon_at <= now)
    }

    pub(super) fn is_to_be_renewed(&self, now: Instant) -> bool {
        matches!(self.stop, Stop::No | Stop::Deadline { .. } | Stop::Shutdown) && self.renew_at <= now
    }

    /// When it is to be looked at next; `None` where nothing is left to do but to wait for its task.
    pub(super) fn attention(&self) -> Option<Instant> {
        match self.stop {
            Stop::No => Some(self.start.deadline().min(self.renew_at).min(self.give_up_at)),
            Stop::Shutdown => Some(self.renew_at),
            Stop::Deadline { abandon_at } => Some(abandon_at.min(self.renew_at).min(self.give_up_at)),
            Stop::Void { abandon_at } => Some(abandon_at),
            Stop::Abandoned { .. } => None,
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self.stop, Stop::Abandoned { .. })
    }

    pub(super) fn land(&mut self) -> Landed {
        Landed { start: self.start, stop: self.stop, manual: self.manual.take() }
    }
}
