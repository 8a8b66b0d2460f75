//! What the engine knows, for people.

use std::sync::Arc;

use super::core::Engine;
use super::index::JobIndex;
use super::job::Stage;
use super::queue::Place;
use crate::runner::error::RunnerError;
use crate::runner::explain::{Facts, explain};
use crate::runner::job::JobSpec;
use crate::runner::metrics::{JobSeries, Snapshot};
use crate::runner::schedule::Grid;
use crate::runner::status::{BreakerState, JobPhase, JobStatus, RunnerHealth};
use crate::store::{Breaker, JobState, PauseCause, UnixMs};

impl Engine {
    pub(super) fn list(&self) -> Vec<JobStatus> {
        self.jobs.sorted().into_iter().filter_map(|index| self.status(index)).collect()
    }

    pub(super) fn show(&self, id: &str) -> Result<JobStatus, RunnerError> {
        self.status(self.find(id)?).ok_or_else(|| Self::unknown(id))
    }

    /// A job's definition, as it was given, and its state.
    pub(super) fn inspect(&self, id: &str) -> Result<(JobSpec, JobState), RunnerError> {
        let job = self.jobs.get(self.find(id)?).filter(|job| !job.removed).ok_or_else(|| Self::unknown(id))?;
        let spec = JobSpec {
            id: job.id.to_string(),
            kind: self.kinds.get(job.kind).name().to_string(),
            agent: job.agent.to_string(),
            schedule: job.schedule.clone(),
            // It was made from a value.
            config: serde_json::from_str(&job.config).unwrap_or_default(),
            failure_to: job.failure_to.as_deref().cloned(),
            paused_on_boot: job.paused_on_boot,
            catch_up: job.catch_up,
        };
        Ok((spec, job.state.clone()))
    }

    fn status(&self, index: JobIndex) -> Option<JobStatus> {
        let job = self.jobs.get(index)?;
        let now = self.clock.now();
        let state = &job.state;
        let kind = self.kinds.get(job.kind);
        let cold = job.cold.as_deref();
        let counters = cold.map(|cold| &cold.counters);
        let skipped_overlap = counters.map_or(0, |counters| counters.skipped_overlap);
        let skipped_misfire = counters.map_or(0, |counters| counters.skipped_misfire);
        let phase = self.phase_of(index, now)?;
        let wakes_at = self.queue.wakes_at(index);
        let running_since = match job.stage {
            Stage::Running(flight) => self.flights.started(flight),
            _ => None,
        };
        let (breaker, breaker_until) = breaker(state.breaker, now);
        let why = explain(&Facts {
            state,
            phase,
            now,
            wakes_at,
            running_since,
            kind: kind.name(),
            registered: kind.registered().is_some(),
            places_taken: kind.places_taken(),
            holder: cold.and_then(|cold| cold.holder.as_ref()),
            last_skip: cold.and_then(|cold| cold.last_skip),
            skipped: skipped_overlap + skipped_misfire,
            store_outage: self.outage.as_ref().map(|outage| outage.error().to_string()),
        });
        let failing = state.failure.as_ref().filter(|_| state.errors > 0 || state.attempt > 0 || state.pause.is_some());
        Some(JobStatus {
            id: job.id.to_string(),
            kind: kind.name().to_string(),
            agent: job.agent.to_string(),
            schedule: job.schedule.to_string(),
            phase,
            why,
            next_slot: state.next.filter(|_| state.pause.is_none()).map(|next| next.scheduled_at),
            next_due: wakes_at.or(state.next.map(|next| next.due)).filter(|_| state.pause.is_none()),
            last_outcome: state.last.map(|last| last.outcome),
            last_started: state.last.map(|last| last.started),
            last_ended: state.last.map(|last| last.ended),
            last_success: state.last_success,
            freshness_secs: state.last_success.map(|at| now.since(at).as_secs()),
            last_error: failing.map(|note| note.last.clone()),
            first_error: failing.map(|note| note.first.clone()),
            consecutive_errors: state.errors,
            attempt: state.attempt,
            breaker,
            breaker_until,
            backoff_until: state.backoff_until.filter(|until| *until > now),
            paused: state.pause.as_deref().cloned(),
            running_since,
            lease: cold.and_then(|cold| cold.holder.clone()),
            cursor_bytes: state.cursor.as_ref().map_or(0, |cursor| cursor.len()),
            epoch: job.stored.epoch,
            skipped_overlap,
            skipped_misfire,
            ticks_ok: counters.map_or(0, |counters| counters.ok),
            ticks_failed: counters.map_or(0, |counters| counters.transient + counters.permanent),
        })
    }

    fn phase_of(&self, index: JobIndex, now: UnixMs) -> Option<JobPhase> {
        let job = self.jobs.get(index)?;
        Some(match (job.stage, self.queue.place(index)) {
            (Stage::Running(_) | Stage::Abandoned, _) => JobPhase::Running,
            (Stage::Claiming | Stage::Settling, _) => JobPhase::Waiting,
            (Stage::Waiting, Place::Parked(_) | Place::Ready) => JobPhase::Waiting,
            (Stage::Waiting, Place::Nowhere | Place::Until(_)) => {
                let elsewhere = job.cold.as_ref().is_some_and(|cold| cold.holder.is_some());
                phase_at_rest(&job.state, elsewhere, now)
            }
        })
    }

    pub(super) fn next_firings(&self, id: &str, count: usize) -> Result<Vec<UnixMs>, RunnerError> {
        let index = self.find(id)?;
        let job = self.jobs.get(index).ok_or_else(|| Self::unknown(id))?;
        let grid = Grid::from_seed(job.seed, job.state.skew);
        let first = match job.state.next {
            Some(next) => Some(next.due.max(self.queue.wakes_at(index).unwrap_or(next.due))),
            None => job.schedule.next_after(self.clock.now(), grid),
        };
        let after = job.state.next.map(|next| next.scheduled_at);
        let rest = std::iter::successors(after.or(first), |slot| job.schedule.next_after(*slot, grid)).skip(1);
        let rest = rest.map(|scheduled_at| job.schedule.slot(scheduled_at, grid, self.rules.default_jitter).due);
        let rest = rest.skip_while(|due| first.is_some_and(|first| *due <= first));
        Ok(first.into_iter().chain(rest).take(count.min(1000)).collect())
    }

    pub(super) fn health(&self) -> RunnerHealth {
        RunnerHealth {
            jobs: self.jobs.len(),
            ticks_in_flight: self.flights.len(),
            store_trouble: self.outage.as_ref().map(|outage| outage.error().to_string()),
        }
    }

    /// The numbers of every job that did something, for the metrics.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let jobs = self.jobs.iter().map(|job| JobSeries {
            kind: Arc::clone(self.kinds.get(job.kind).name()),
            agent: Arc::clone(&job.agent),
            job_id: Arc::clone(&job.id),
            counters: job.cold.as_ref().map(|cold| cold.counters.clone()),
            errors: job.state.errors,
            breaker: match breaker(job.state.breaker, now).0 {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            },
            freshness_secs: job.state.last_success.map(|at| now.since(at).as_secs()),
            paused: job.state.pause.is_some(),
        });
        Snapshot {
            jobs: jobs.collect(),
            loaded: self.jobs.len(),
            max_jobs: self.options.metrics_max_jobs,
            in_flight: self.flights.len(),
            store_ok: self.outage.is_none(),
            lag: self.lag.clone(),
        }
    }
}

/// What a job is doing of which nothing is under way.
fn phase_at_rest(state: &JobState, elsewhere: bool, now: UnixMs) -> JobPhase {
    match &state.pause {
        Some(pause) if pause.cause == PauseCause::Config => return JobPhase::Quarantined,
        Some(_) => return JobPhase::Paused,
        None => {}
    }
    let Some(next) = state.next else { return JobPhase::Finished };
    if elsewhere {
        JobPhase::Elsewhere
    } else if matches!(state.breaker, Breaker::Open { .. }) {
        JobPhase::BreakerOpen
    } else if state.backoff_until.is_some_and(|until| until > now) {
        JobPhase::Backoff
    } else if next.due <= now {
        JobPhase::Waiting
    } else {
        JobPhase::Scheduled
    }
}

fn breaker(breaker: Breaker, now: UnixMs) -> (BreakerState, Option<UnixMs>) {
    match breaker {
        Breaker::Closed => (BreakerState::Closed, None),
        Breaker::Open { until, .. } if until <= now => (BreakerState::HalfOpen, Some(until)),
        Breaker::Open { until, .. } => (BreakerState::Open, Some(until)),
    }
}
