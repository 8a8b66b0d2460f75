use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::flight::{Flight, Landed, Stop, TickStart};
use super::index::{FlightKey, JobIndex};
use super::manual::ManualRun;
use super::pending::PendingRenewal;
use super::tick::{Ended, TickTask};
use crate::store::UnixMs;

/// A lease that may have run out is asked for at once; where its renewal is not answered within this, its tick is given up.
const DOUBT: Duration = Duration::from_secs(2);
/// Ended ticks that are taken from the channel at once.
const MOST_ENDED: usize = 4096;

/// The ticks that run: their deadlines, their leases, and their ends.
///
/// Invariants:
/// - each tick lands once: `land`, `attend` or `abandon_all` gives its [`Landed`], and whatever its task tells after that is only
///   that the task has gone;
/// - `abandoned` holds the jobs of those flights that are abandoned, so a job that is not in it has no old task left;
/// - no flight needs attention before `next_check`, which may be too early, but never too late.
///
/// There are at most `max_in_flight` of them, so walking over all is cheap. Walking at each step is not, at thousands of steps
/// a second: `next_check` says when it is needed.
pub(super) struct Flights {
    list: Vec<Option<Flight>>,
    /// The vacant entries of `list`.
    free: Vec<FlightKey>,
    abandoned: HashSet<JobIndex>,
    /// `None` where no flight needs attention, however late it gets.
    next_check: Option<Instant>,
    /// After its deadline, or once it is void, a tick has this long to end by itself.
    grace: Duration,
    ended: mpsc::UnboundedReceiver<Ended>,
    /// A clone of it goes with each tick's task. Held here as well, so that the channel never closes.
    sender: mpsc::UnboundedSender<Ended>,
}

/// What became of a tick whose task has gone.
pub(super) enum Landing {
    /// It returned, panicked or was dropped: its outcome is to be settled.
    Ended(Landed),
    /// It was abandoned and settled before. Now its place and its job are free, once its lease is given back where it was kept.
    Gone { start: TickStart, keeps_lease: bool },
}

/// What a look at the flights has found.
#[derive(Default)]
pub(super) struct Attention {
    /// Leases to renew.
    pub(super) renewals: Vec<PendingRenewal>,
    /// Ticks that were given up just now.
    pub(super) abandoned: Vec<Landed>,
}

impl Flights {
    pub(super) fn new(grace: Duration) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let (list, free, abandoned) = (Vec::new(), Vec::new(), HashSet::new());
        Self { list, free, abandoned, next_check: None, grace, ended, sender }
    }

    /// Starts a tick: `spawn` makes its task, which tells of its end under the number that it is given.
    pub(super) fn launch(
        &mut self,
        start: TickStart,
        manual: Option<ManualRun>,
        spawn: impl FnOnce(FlightKey, mpsc::UnboundedSender<Ended>) -> TickTask,
    ) -> FlightKey {
        debug_assert!(!self.has_abandoned(start.job), "a job never runs twice at once");
        let key = self.free.pop().or_else(|| {
            let key = FlightKey::of(self.list.len())?;
            self.list.push(None);
            Some(key)
        });
        // `max_in_flight` tasks, each of some hundred bytes, do not reach four billion.
        let key = key.unwrap_or_default();
        let flight = Flight::new(start, manual, spawn(key, self.sender.clone()));
        self.check_by(flight.attention());
        self.list[key.position()] = Some(flight);
        key
    }

    /// Takes the numbers of tasks that have gone; never ends without any. Nothing is lost where it is dropped half-way.
    pub(super) async fn ended(&mut self, ended: &mut Vec<Ended>) {
        let count = self.ended.recv_many(ended, MOST_ENDED).await;
        debug_assert!(count > 0, "a sender is held here");
    }

    /// A tick's task has gone. `None` for a tick that a shutdown did not wait for.
    pub(super) fn land(&mut self, key: FlightKey) -> Option<Landing> {
        let mut flight = self.list.get_mut(key.position())?.take()?;
        self.free.push(key);
        if let Stop::Abandoned { keeps_lease } = flight.stop {
            self.abandoned.remove(&flight.start.job);
            return Some(Landing::Gone { start: flight.start, keeps_lease });
        }
        Some(Landing::Ended(flight.land()))
    }

    /// When the flights are to be looked at next.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.next_check
    }

    /// Looks at the flights where one needs it: cancels those that are overdue, abandons those that do not end.
    pub(super) fn attend(&mut self, now: Instant) -> Attention {
        let mut attention = Attention::default();
        if self.next_check.is_none_or(|at| at > now) {
            return attention;
        }
        for (position, flight) in self.list.iter_mut().enumerate() {
            let (Some(flight), Some(key)) = (flight, FlightKey::of(position)) else { continue };
            if flight.is_overdue(now) {
                flight.stop = Stop::Deadline { abandon_at: now + self.grace };
                flight.task.cancel();
            }
            if flight.has_lost_its_lease(now) {
                // The lease could not be renewed for so long that somebody else may have the job at any moment.
                flight.stop = Stop::Void { abandon_at: now + self.grace };
                flight.task.cancel();
            }
            if flight.is_to_be_abandoned(now) {
                // Aborting ends a task at its next await. One that blocks its thread has none and cannot be ended, so it keeps
                // its number and its job until it goes by itself: a second tick beside it would be an overlap.
                flight.task.abort();
                let keeps_lease = matches!(flight.stop, Stop::Void { .. });
                attention.abandoned.push(flight.land());
                flight.stop = Stop::Abandoned { keeps_lease };
                self.abandoned.insert(flight.start.job);
            } else if flight.is_to_be_renewed(now) {
                flight.renew_at = now + flight.start.renew_every();
                let TickStart { job, epoch, ttl, .. } = flight.start;
                attention.renewals.push(PendingRenewal { job, epoch, flight: key, ttl, asked: None });
            }
        }
        self.next_check = self.list.iter().flatten().filter_map(Flight::attention).min();
        attention
    }

    /// The lease of `renewal` was kept. Whether its tick is still there.
    pub(super) fn renewed(&mut self, renewal: &PendingRenewal, now: Instant) -> bool {
        let Some(flight) = self.of(renewal) else { return false };
        let asked = renewal.asked.map_or(now, |asked| asked.elapsed);
        flight.give_up_at = asked + flight.start.give_up_after();
        true
    }

    /// The lease of `renewal` is gone.
    pub(super) fn lost(&mut self, renewal: &PendingRenewal, now: Instant) {
        if self.of(renewal).is_some() {
            self.void(renewal.flight, now);
        }
    }

    /// Whatever this tick returns no longer counts.
    pub(super) fn void(&mut self, key: FlightKey, now: Instant) {
        let abandon_at = now + self.grace;
        let Some(Some(flight)) = self.list.get_mut(key.position()) else { return };
        if matches!(flight.stop, Stop::Void { .. } | Stop::Abandoned { .. }) {
            return;
        }
        flight.stop = Stop::Void { abandon_at };
        flight.task.cancel();
        self.check_by(Some(abandon_at));
    }

    /// Leases may have run out unnoticed, `by` ago at most: each is renewed now, and its tick given up where no answer comes soon.
    pub(super) fn doubt(&mut self, now: Instant, by: Duration) {
        for flight in self.list.iter_mut().flatten() {
            flight.renew_at = now;
            let give_up_at = flight.give_up_at.checked_sub(by).unwrap_or(now);
            flight.give_up_at = give_up_at.max(now + DOUBT);
            self.next_check = Some(now);
        }
    }

    /// Asks all ticks to end. From here on none is given up before [`abandon_all`](Self::abandon_all), void ones apart.
    pub(super) fn shut_down(&mut self) {
        for flight in self.list.iter_mut().flatten() {
            if matches!(flight.stop, Stop::No | Stop::Deadline { .. }) {
                flight.stop = Stop::Shutdown;
            }
            flight.task.cancel();
        }
    }

    /// Gives up all ticks, for the end of a shutdown, after which no tick starts. Each keeps its lease until its task has gone.
    pub(super) fn abandon_all(&mut self) -> Vec<Landed> {
        let mut landed = Vec::new();
        for flight in self.list.iter_mut().flatten().filter(|flight| !flight.is_abandoned()) {
            flight.task.abort();
            landed.push(flight.land());
            flight.stop = Stop::Abandoned { keeps_lease: true };
            self.abandoned.insert(flight.start.job);
        }
        self.next_check = None;
        landed
    }

    /// Whether any tick has not landed yet.
    pub(super) fn any_aloft(&self) -> bool {
        self.list.iter().flatten().any(|flight| !flight.is_abandoned())
    }

    /// Tasks that have not gone, those of abandoned ticks included.
    pub(super) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Since when a tick runs.
    pub(super) fn started(&self, key: FlightKey) -> Option<UnixMs> {
        self.list.get(key.position())?.as_ref().map(|flight| flight.start.started)
    }

    /// Whether the task of an abandoned tick of `job` has not gone yet.
    pub(super) fn has_abandoned(&self, job: JobIndex) -> bool {
        self.abandoned.contains(&job)
    }

    /// The flight that `renewal` is about. Its number may be another tick's by now, of another job or another claim.
    fn of(&mut self, renewal: &PendingRenewal) -> Option<&mut Flight> {
        let flight = self.list.get_mut(renewal.flight.position())?.as_mut()?;
        (flight.start.job == renewal.job && flight.start.epoch == renewal.epoch).then_some(flight)
    }

    fn check_by(&mut self, at: Option<Instant>) {
        self.next_check = match (self.next_check, at) {
            (Some(known), Some(at)) => Some(known.min(at)),
            (known, at) => known.or(at),
        };
    }
}
