//! From claimed to running.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::core::Engine;
use super::flight::TickStart;
use super::job::Stage;
use super::pending::{PendingClaim, PendingRelease};
use super::tick::TickOrder;
use crate::contract::TickIdentity;
use crate::runner::error::RunnerError;
use crate::runner::policy;
use crate::runner::schedule::Grid;

impl Engine {
    /// The lease is ours: the tick starts.
    pub(super) fn start_tick(&mut self, claim: PendingClaim) {
        let index = claim.job;
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        let kind = self.kinds.get(job.kind);
        let Some(registered) = kind.registered().cloned() else {
            // Its kind went away between the claim and now.
            let (id, kind) = (job.id.to_string(), kind.name().to_string());
            return self.give_back(claim, RunnerError::KindMissing { id, kind });
        };
        let next = job.state.next.filter(|_| claim.manual.is_none());
        let (scheduled_at, attempt) = match next {
            Some(next) => (next.scheduled_at, job.state.attempt),
            // Not the slot's key: the slot's own run is still to come, and a key is never used twice.
            None => (policy::manual_key(&job.rule(), &job.state, now), 0),
        };
        if let Some(next) = next {
            self.lag.record(now.since(next.due));
        }
        let grid = Grid::from_seed(job.seed, job.state.skew);
        let following = job.schedule.next_after(scheduled_at.max(now), grid);
        let identity = TickIdentity::new(Arc::clone(kind.name()), Arc::clone(&job.id), Arc::clone(&job.agent))
            .with_run_key(scheduled_at.to_utc())
            .with_cursor(job.state.cursor.as_deref());
        let start = TickStart {
            job: index,
            kind: job.kind,
            epoch: job.stored.epoch,
            scheduled_at,
            started: now,
            started_at: Instant::now(),
            leased_at: claim.asked.map_or_else(Instant::now, |asked| asked.elapsed),
            timeout: registered.limits.tick_timeout,
            ttl: claim.ttl,
        };
        let (hosts, config) = (Arc::clone(&self.hosts), Arc::clone(&job.config));
        let is_manual = claim.manual.is_some();
        let flight = self.flights.launch(start, claim.manual, |key, ended| {
            let order = TickOrder {
                run: key.number(),
                identity,
                attempt,
                publish: registered.publish,
                runs_elsewhere: registered.limits.runs_elsewhere,
                poller: registered.poller,
                hosts,
                config,
                now,
                redact: self.options.redact.clone(),
                interval_hint: following.map_or(Duration::ZERO, |next| next.since(now)),
                ended,
            };
            order.start()
        });
        job.stage = Stage::Running(flight);
        self.observe_start(&start, next.map_or(now, |next| next.due), attempt, is_manual);
    }

    /// Gives a lease back unused.
    pub(super) fn give_back(&mut self, claim: PendingClaim, why: RunnerError) {
        let Some(job) = self.jobs.get_mut(claim.job) else { return };
        if let Some(manual) = claim.manual {
            manual.refuse(why);
        }
        job.stage = Stage::Settling;
        let kind = job.kind;
        self.outbox.release(PendingRelease { job: claim.job, epoch: job.stored.epoch });
        self.free_place(kind);
    }
}
