//! From due to running.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::Phase;
use super::outbox::PendingEdit;
use super::runs::{RunningTick, Stop};
use super::tick::TickOrder;
use super::{Edit, Engine};
use crate::contract::{Poller, TickIdentity};
use crate::runner::policy::{self, Change, Fire};
use crate::runner::{RunnerError, RunnerEventKind, seed};
use crate::store::{Pause, PauseCause, UnixMs};
use crate::tick::catch_now;

/// A claimed lease is at most this long, whatever the job's interval: it is renewed while the tick runs.
const LONGEST_LEASE: Duration = Duration::from_secs(300);

impl Engine {
    /// Everything that is due gets in line.
    pub(super) fn take_due(&mut self) {
        let now = self.clock.now();
        while let Some(slot) = self.timeline.pop_due(now) {
            self.line_up(slot, now);
        }
    }

    /// A due job gets a place of its kind, or waits for one.
    fn line_up(&mut self, slot: u32, now: UnixMs) {
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        let manual = job.rare.as_ref().is_some_and(|rare| rare.manual.is_some());
        if !manual {
            match policy::fire(&job.rule(), &self.rules, &job.state, now) {
                Fire::Run { .. } => {}
                // A wake-up that was only meant to look again, at a lease for one.
                Fire::Wait(_) => return self.schedule(slot),
                Fire::Never => return self.wake_at(slot, None),
                Fire::Skip { state, skipped } => return self.skip(slot, *state, skipped),
            }
        }
        let kind = job.kind;
        let place = self.kinds.get(kind).has_place();
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        job.wake = None;
        if place {
            job.phase = Phase::Ready;
            self.kinds.get_mut(kind).in_use += 1;
            self.ready.push_back(slot);
        } else {
            job.phase = Phase::Parked;
            self.kinds.get_mut(kind).parked.push_back(slot);
        }
    }

    /// A missed run that `catch_up: skip` leaves out. It is stored, so that a restart does not find it again.
    fn skip(&mut self, slot: u32, state: crate::store::JobState, skipped: u32) {
        let Some(job) = self.job_mut(slot) else { return };
        job.rare().counters.skipped_misfire += u64::from(skipped);
        job.rare().last_skip = Some("it was missed while nothing ran, and `catch_up: skip` leaves such runs out");
        let at = state.next.map(|next| next.due);
        job.state = state.clone();
        self.observe(slot, RunnerEventKind::Skipped { count: skipped, state: &state });
        let Some(job) = self.job_mut(slot) else { return };
        // Where another change is on its way already, this one goes with the next commit.
        let alone = !std::mem::replace(&mut job.rare().editing, true);
        let revision = job.revision;
        self.wake_at(slot, at);
        if alone {
            let edit = Edit { change: Change::Adopt, reply: None };
            self.outbox.edits.push(PendingEdit { slot, revision, edit, state, fence: false });
        }
    }

    /// A place of `kind` is free: whoever waited longest gets it.
    pub(super) fn free_place(&mut self, kind: u32) {
        let entry = self.kinds.get_mut(kind);
        entry.in_use = entry.in_use.saturating_sub(1);
        self.unpark(kind);
    }

    /// As many of those who wait for `kind` as there are places.
    pub(super) fn unpark(&mut self, kind: u32) {
        if self.draining.is_some() {
            return;
        }
        let now = self.clock.now();
        while self.kinds.get(kind).has_place() {
            let Some(slot) = self.kinds.get_mut(kind).parked.pop_front() else { return };
            if self.job(slot).is_some_and(|job| job.phase == Phase::Parked && job.kind == kind) {
                self.line_up(slot, now);
            }
        }
    }

    /// Claims for the jobs in line, as far as ticks may start.
    pub(super) fn claim_ready(&mut self) {
        while self.claiming + self.runs.len() < self.options.max_in_flight.max(1) {
            let Some(slot) = self.ready.pop_front() else { return };
            if self.job(slot).is_none_or(|job| job.phase != Phase::Ready) {
                continue;
            }
            if let Err(reason) = self.accept_config(slot) {
                self.quarantine(slot, reason);
                continue;
            }
            let ttl = self.lease_ttl(slot);
            let Some(job) = self.job_mut(slot) else { continue };
            job.phase = Phase::Claiming;
            self.claiming += 1;
            self.outbox.claims.push_back((slot, ttl));
        }
    }

    /// The job's config in the eyes of the poller that is registered now, asked once for each that comes.
    pub(super) fn accept_config(&mut self, slot: u32) -> Result<(), String> {
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return Ok(()) };
        let kind = self.kinds.get(job.kind);
        let Some(registered) = &kind.registered else { return Ok(()) };
        if job.validated == kind.generation {
            return Ok(());
        }
        validate(registered.poller.as_ref(), &job.config)?;
        job.validated = kind.generation;
        Ok(())
    }

    /// A config that its poller refuses stops that one job.
    pub(super) fn quarantine(&mut self, slot: u32, reason: String) {
        let now = self.clock.now();
        let Some(job) = self.job_mut(slot) else { return };
        let had_place = matches!(job.phase, Phase::Ready);
        let under_way = !matches!(job.phase, Phase::Idle | Phase::Parked | Phase::Ready);
        let (id, kind, config) = (Arc::clone(&job.id), job.kind, job.config_print);
        tracing::error!(job = %id, reason, "the job is quarantined until its config is mended");
        let pause =
            Pause { cause: PauseCause::Config, reason: reason.clone(), by: "runner".to_owned(), at: now, config };
        job.state.pause = Some(Box::new(pause.clone()));
        // A tick that runs already ends under the old config, and tells how.
        if !under_way && let Some(manual) = job.rare().manual.take() {
            // Whoever asked may have gone.
            let _ = manual.send(Err(RunnerError::Quarantined { id: id.to_string(), reason }));
        }
        self.put_to_rest(slot);
        self.edit(slot, Edit { change: Change::Pause(pause), reply: None });
        if had_place {
            self.free_place(kind);
        }
    }

    fn lease_ttl(&self, slot: u32) -> Duration {
        let Some(job) = self.job(slot) else { return self.options.min_lease_ttl };
        let timeout =
            self.kinds.get(job.kind).registered.as_ref().map_or(Duration::ZERO, |kind| kind.limits.tick_timeout);
        let wanted = job.schedule.typical_interval().mul_f64(self.options.lease_ttl_factor.clamp(0.0, 1000.0));
        // A tick's deadline, and its grace, end before its lease does.
        let needed = timeout + self.options.cancel_grace * 2;
        wanted.min(LONGEST_LEASE).max(self.options.min_lease_ttl).max(needed)
    }

    /// The lease is ours: the tick starts.
    pub(super) fn start_tick(&mut self, slot: u32, ttl: Duration) {
        let now = self.clock.now();
        let Some(job) = self.jobs[slot as usize].as_deref_mut() else { return };
        let Some(registered) = self.kinds.get(job.kind).registered.clone() else {
            // Its kind went away between the claim and now.
            let (id, kind) = (job.id.to_string(), self.kinds.get(job.kind).name.to_string());
            return self.give_back(slot, RunnerError::KindMissing { id, kind });
        };
        let manual = job.rare.as_ref().is_some_and(|rare| rare.manual.is_some());
        let (scheduled_at, attempt) = match job.state.next {
            Some(next) if !manual => (next.scheduled_at, job.state.attempt),
            _ => (policy::manual_key(&job.rule(), &job.state, now), 0),
        };
        if let (Some(next), false) = (job.state.next, manual) {
            self.lag.record(now.since(next.due));
        }
        let run = self.runs.reserve();
        let cancel = CancellationToken::new();
        let grid = crate::runner::schedule::Grid::from_seed(job.seed, job.state.skew);
        let hint = job.schedule.next_after(scheduled_at.max(now), grid).map_or(Duration::ZERO, |next| next.since(now));
        let order = TickOrder {
            run,
            identity: TickIdentity::new(
                Arc::clone(&self.kinds.get(job.kind).name),
                Arc::clone(&job.id),
                Arc::clone(&job.agent),
            )
            .with_run_key(scheduled_at.to_utc())
            .with_cursor(job.state.cursor.as_deref()),
            attempt,
            publish: registered.publish,
            poller: registered.poller,
            hosts: Arc::clone(&self.hosts),
            config: Arc::clone(&job.config),
            now,
            interval_hint: hint,
            cancel: cancel.clone(),
            ended: self.ended_sender.clone(),
        };
        job.phase = Phase::Running(run);
        let (kind, epoch, next_due) = (job.kind, job.epoch, job.state.next.map(|next| next.due));
        let started_at = Instant::now();
        let task = order.start();
        let timeout = registered.limits.tick_timeout;
        let tick = RunningTick {
            slot,
            kind,
            epoch,
            scheduled_at,
            manual,
            started: now,
            started_at,
            timeout,
            deadline: started_at + timeout,
            ttl,
            renew_at: started_at + ttl / 4,
            give_up_at: started_at + ttl.mul_f64(0.7),
            stop: Stop::No,
            cancel,
            task,
        };
        let due = next_due.filter(|_| !manual).unwrap_or(now);
        self.observe_start(&tick, due, attempt);
        self.runs.insert(run, tick);
    }

    /// Missed runs of many jobs start spread, not all at once.
    pub(super) fn spread_missed(&mut self, now: UnixMs) {
        let grace = self.rules.misfire_grace;
        let slots = 0..u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        let missed: Vec<u32> = slots
            .filter(|slot| {
                self.job(*slot)
                    .is_some_and(|job| job.phase == Phase::Idle && job.wake.is_some_and(|wake| now.since(wake) > grace))
            })
            .collect();
        // A handful need no spreading.
        let each = Duration::from_millis(60);
        let spread =
            self.options.misfire_spread.min(each.saturating_mul(u32::try_from(missed.len()).unwrap_or(u32::MAX)));
        let most = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        for slot in missed {
            let Some(job) = self.job(slot) else { continue };
            let delay = seed::within(seed::mix(job.seed ^ now.0.cast_unsigned()), most);
            self.wake_at(slot, Some(now.plus(Duration::from_millis(delay))));
        }
    }
}

/// Whether `poller` takes this config; a panic counts as a no.
pub(super) fn validate(poller: &dyn Poller, config: &str) -> Result<(), String> {
    let value = serde_json::from_str(config).map_err(|error| error.to_string())?;
    match catch_now(|| poller.validate(&value)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(policy::message_of(&error)),
        Err(panicked) => Err(format!("the poller {panicked} while it checked the config")),
    }
}
