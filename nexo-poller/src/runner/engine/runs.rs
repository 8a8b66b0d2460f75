use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tick::TickTask;
use crate::store::UnixMs;

/// A tick in flight. All times but `started` are elapsed time: setting the wall clock does not move a deadline.
pub(super) struct RunningTick {
    pub(super) slot: u32,
    pub(super) kind: u32,
    pub(super) epoch: u64,
    pub(super) scheduled_at: UnixMs,
    pub(super) manual: bool,
    pub(super) started: UnixMs,
    pub(super) started_at: Instant,
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    pub(super) ttl: Duration,
    pub(super) renew_at: Instant,
    /// Without a renewal by then, the lease may be somebody else's soon.
    pub(super) give_up_at: Instant,
    pub(super) stop: Stop,
    pub(super) cancel: CancellationToken,
    pub(super) task: TickTask,
}

/// Why a tick was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was not.
    No,
    /// It had its time; abandoned at the instant given.
    Deadline(Instant),
    /// Its lease is gone or its job was reset: whatever it returns is void.
    Void(Instant),
    /// The runner shuts down.
    Shutdown,
    /// It was abandoned; its outcome is settled, only its task is not gone.
    Abandoned,
}

/// Ticks in flight, by number. Bounded by `max_in_flight`, so walking all of them is cheap.
#[derive(Default)]
pub(super) struct Runs {
    list: Vec<Option<RunningTick>>,
    free: Vec<u32>,
    count: usize,
    /// No tick needs attention before this.
    next_check: Option<Instant>,
}

impl Runs {
    pub(super) fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn insert(&mut self, run: u32, tick: RunningTick) {
        let attention = tick.attention();
        self.next_check = Some(self.next_check.map_or(attention, |at| at.min(attention)));
        self.list[run as usize] = Some(tick);
        self.count += 1;
    }

    pub(super) fn remove(&mut self, run: u32) -> Option<RunningTick> {
        let tick = self.list.get_mut(run as usize)?.take()?;
        self.free.push(run);
        self.count -= 1;
        Some(tick)
    }

    /// Puts back a tick that was taken out a moment ago, under its number.
    pub(super) fn keep(&mut self, run: u32, tick: RunningTick) {
        self.free.retain(|free| *free != run);
        self.list[run as usize] = Some(tick);
        self.count += 1;
    }

    pub(super) fn get_mut(&mut self, run: u32) -> Option<&mut RunningTick> {
        self.list.get_mut(run as usize)?.as_mut()
    }

    pub(super) fn get(&self, run: u32) -> Option<&RunningTick> {
        self.list.get(run as usize)?.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut RunningTick)> {
        (0u32..).zip(&mut self.list).filter_map(|(run, tick)| tick.as_mut().map(|tick| (run, tick)))
    }

    /// When a tick needs attention next.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.next_check.filter(|_| self.count > 0)
    }

    /// Looks at the clock again after ticks were attended to.
    pub(super) fn refresh_next_check(&mut self) {
        self.next_check = self.list.iter().flatten().map(RunningTick::attention).min();
    }
}

impl RunningTick {
    fn attention(&self) -> Instant {
        match self.stop {
            Stop::No => self.deadline.min(self.renew_at).min(self.give_up_at),
            Stop::Shutdown => self.renew_at,
            Stop::Deadline(abandon) => abandon.min(self.renew_at).min(self.give_up_at),
            Stop::Void(abandon) => abandon,
            // Nothing is left to do but to wait for its task.
            Stop::Abandoned => self.started_at + Duration::from_secs(10 * 365 * 86_400),
        }
    }
}
