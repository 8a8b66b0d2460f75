//! From due to claimed.

use std::time::Duration;

use super::change::ChangeRequest;
use super::core::Engine;
use super::index::{JobIndex, KindIndex};
use super::job::Stage;
use super::pending::{PendingChange, PendingClaim};
use super::queue::Place;
use crate::runner::observe::RunnerEventKind;
use crate::runner::policy::{self, Change, Fire};
use crate::runner::seed;
use crate::store::{JobState, UnixMs};

/// A claimed lease is at most this long, whatever the job's interval: it is renewed while the tick runs.
const LONGEST_LEASE: Duration = Duration::from_secs(300);
/// A missed run that cannot be left out yet is looked at again after this, or when the change before it is settled.
const SKIP_AGAIN: Duration = Duration::from_secs(1);
/// Missed runs start so far apart on average, or closer where `misfire_spread` ends before: a handful need no spreading.
const MISSED_RUN_EVERY: Duration = Duration::from_millis(60);

impl Engine {
    /// Everything that is due gets in line.
    pub(super) fn take_due(&mut self) {
        let now = self.clock.now();
        while let Some(index) = self.queue.pop_due(now) {
            self.line_up(index, now);
        }
    }

    /// A due job gets a place of its kind, or waits for one.
    fn line_up(&mut self, index: JobIndex, now: UnixMs) {
        let Some(job) = self.jobs.get(index) else { return };
        if !job.has_manual_run() {
            match policy::fire(&job.rule(), &self.rules, &job.state, now) {
                Fire::Run { .. } => {}
                // A wake-up that was only meant to look again, at a lease for one.
                Fire::Wait(_) => return self.schedule(index),
                Fire::Never => return self.wait_until(index, None),
                Fire::Skip { state, skipped } => return self.skip(index, *state, skipped),
            }
        }
        let kind = job.kind;
        if self.kinds.take_place(kind) {
            self.queue.make_ready(index);
        } else {
            self.queue.park(index, kind);
        }
    }

    /// A missed run that `catch_up: skip` leaves out. It is stored, so that a restart does not find it again.
    fn skip(&mut self, index: JobIndex, state: JobState, skipped: u32) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        if !job.cold_mut().changes.start_if_free() {
            // Another change is on its way: what it leaves behind decides.
            let again = self.clock.now().plus(SKIP_AGAIN);
            return self.wait_until(index, Some(again));
        }
        job.state = state.clone();
        let (revision, at) = (job.stored.revision, state.next.map(|next| next.due));
        self.wait_until(index, at);
        let request = ChangeRequest::unasked(Change::Adopt);
        self.outbox.change(PendingChange { job: index, revision, request, state, fence: false, skipped });
    }

    /// Missed runs were left out, and that is durable.
    pub(super) fn count_skipped(&mut self, index: JobIndex, skipped: u32, state: &JobState) {
        let Some(job) = self.jobs.get_mut(index).filter(|_| skipped > 0) else { return };
        let cold = job.cold_mut();
        cold.counters.skipped_misfire += u64::from(skipped);
        cold.last_skip = Some("it was missed while nothing ran, and `catch_up: skip` leaves such runs out");
        self.observe(index, RunnerEventKind::Skipped { count: skipped, state });
    }

    /// A place of `kind` is free: whoever waited longest gets it.
    pub(super) fn free_place(&mut self, kind: KindIndex) {
        self.kinds.free_place(kind);
        self.fill_places(kind);
    }

    /// As many of those who wait for `kind` as there are places.
    pub(super) fn fill_places(&mut self, kind: KindIndex) {
        if self.draining.is_some() {
            return;
        }
        let now = self.clock.now();
        while self.kinds.get(kind).has_place() {
            let Some(index) = self.queue.pop_parked(kind) else { return };
            // From the start: while it was parked its run may have become one that is left out.
            self.line_up(index, now);
        }
    }

    /// A job that waits in line for its tick goes back to the timeline.
    pub(super) fn leave_line(&mut self, index: JobIndex) {
        let Some(job) = self.jobs.get(index) else { return };
        let kind = job.kind;
        match self.queue.place(index) {
            Place::Ready => {
                self.schedule(index);
                self.free_place(kind);
            }
            Place::Parked(_) => self.schedule(index),
            Place::Nowhere | Place::Until(_) => {}
        }
    }

    /// Claims for the jobs in line, as far as ticks may start. Each claim counts as a tick: all of them may be granted.
    pub(super) fn claim_ready(&mut self) {
        while self.outbox.open_claims() + self.flights.len() < self.options.max_in_flight.max(1) {
            let Some(index) = self.queue.pop_ready() else { return };
            if let Err(reason) = self.accept_config(index) {
                self.quarantine(index, reason);
                if let Some(kind) = self.jobs.get(index).map(|job| job.kind) {
                    self.free_place(kind);
                }
                continue;
            }
            let ttl = self.lease_ttl(index);
            let Some(job) = self.jobs.get_mut(index) else { continue };
            job.stage = Stage::Claiming;
            let manual = job.take_manual_run();
            self.outbox.claim(PendingClaim { job: index, ttl, asked: None, manual });
        }
    }

    fn lease_ttl(&self, index: JobIndex) -> Duration {
        let Some(job) = self.jobs.get(index) else { return self.options.min_lease_ttl };
        let timeout = self.kinds.get(job.kind).registered().map_or(Duration::ZERO, |kind| kind.limits.tick_timeout);
        let wanted = job.schedule.typical_interval().mul_f64(self.options.lease_ttl_factor.clamp(0.0, 1000.0));
        // A tick's deadline, and its grace, end before its lease does, even where no renewal gets through.
        let needed = timeout + self.options.cancel_grace * 2;
        wanted.min(LONGEST_LEASE).max(self.options.min_lease_ttl).max(needed)
    }

    /// Missed runs of many jobs start spread, not all at once: after a night's downtime every job is due in the same instant.
    pub(super) fn spread_missed(&mut self, now: UnixMs) {
        let grace = self.rules.misfire_grace;
        let is_missed = |index: &JobIndex| self.queue.wakes_at(*index).is_some_and(|wake| now.since(wake) > grace);
        let missed: Vec<_> = self.jobs.indices().filter(is_missed).collect();
        let count = u32::try_from(missed.len()).unwrap_or(u32::MAX);
        let spread = self.options.misfire_spread.min(MISSED_RUN_EVERY.saturating_mul(count));
        let most = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        for index in missed {
            let Some(job) = self.jobs.get(index) else { continue };
            let delay = seed::within(seed::mix(job.seed ^ now.0.cast_unsigned()), most);
            self.wait_until(index, Some(now.plus(Duration::from_millis(delay))));
        }
    }
}
