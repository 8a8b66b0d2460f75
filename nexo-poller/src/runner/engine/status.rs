//! What the engine knows, for people.

use super::Engine;
use super::job::{Job, Phase};
use crate::runner::explain::{Facts, explain};
use crate::runner::metrics::{JobSeries, Snapshot};
use crate::runner::status::{BreakerState, JobPhase, JobStatus, RunnerHealth};
use crate::runner::{RunnerError, UnixMs};
use crate::store::{Breaker, PauseCause};

impl Engine {
    pub(super) fn list(&self) -> Vec<JobStatus> {
        let mut slots: Vec<u32> = self.by_id.values().copied().collect();
        slots.sort_unstable_by(|a, b| self.job(*a).map(|job| &job.id).cmp(&self.job(*b).map(|job| &job.id)));
        slots.into_iter().filter_map(|slot| self.status(slot)).collect()
    }

    pub(super) fn status(&self, slot: u32) -> Option<JobStatus> {
        let job = self.job(slot)?;
        let now = self.clock.now();
        let state = &job.state;
        let kind = self.kinds.get(job.kind);
        let rare = job.rare.as_ref();
        let phase = self.phase_of(job, now);
        let running_since = match job.phase {
            Phase::Running(run) => self.runs.get(run).map(|tick| tick.started),
            _ => None,
        };
        let (breaker, breaker_until) = breaker(state.breaker, now);
        let why = explain(&Facts {
            job,
            phase,
            now,
            running_since,
            kind: &kind.name,
            registered: kind.registered.is_some(),
            in_use: kind.in_use,
            store_trouble: self.trouble.as_ref().map(|trouble| trouble.error.to_string()),
        });
        let failing = state.failure.as_ref().filter(|_| state.errors > 0 || state.attempt > 0 || state.pause.is_some());
        let counters = rare.map(|rare| &rare.counters);
        Some(JobStatus {
            id: job.id.to_string(),
            kind: kind.name.to_string(),
            agent: job.agent.to_string(),
            schedule: job.schedule.to_string(),
            phase,
            why,
            next_slot: state.next.filter(|_| state.pause.is_none()).map(|next| next.scheduled_at),
            next_due: job.wake.or(state.next.map(|next| next.due)).filter(|_| state.pause.is_none()),
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
            lease: rare.and_then(|rare| rare.holder.clone()),
            cursor_bytes: state.cursor.as_ref().map_or(0, |cursor| cursor.len()),
            epoch: job.epoch,
            skipped_overlap: counters.map_or(0, |counters| counters.skipped_overlap),
            skipped_misfire: counters.map_or(0, |counters| counters.skipped_misfire),
            ticks_ok: counters.map_or(0, |counters| counters.ok),
            ticks_failed: counters.map_or(0, |counters| counters.transient + counters.permanent),
        })
    }

    fn phase_of(&self, job: &Job, now: UnixMs) -> JobPhase {
        let state = &job.state;
        match job.phase {
            Phase::Running(_) | Phase::Abandoned => return JobPhase::Running,
            Phase::Parked | Phase::Ready | Phase::Claiming | Phase::Committing => return JobPhase::Waiting,
            Phase::Idle => {}
        }
        match &state.pause {
            Some(pause) if pause.cause == PauseCause::Config => return JobPhase::Quarantined,
            Some(_) => return JobPhase::Paused,
            None => {}
        }
        let Some(next) = state.next else { return JobPhase::Finished };
        if job.rare.as_ref().is_some_and(|rare| rare.holder.is_some()) {
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

    pub(super) fn next_firings(&self, id: &str, count: usize) -> Result<Vec<UnixMs>, RunnerError> {
        let job = self.slot_of(id).and_then(|slot| self.job(slot)).ok_or_else(|| Self::unknown(id))?;
        let grid = crate::runner::schedule::Grid::from_seed(job.seed, job.state.skew);
        let first = match job.state.next {
            Some(next) => Some(next.due.max(job.wake.unwrap_or(next.due))),
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
            jobs: self.by_id.len(),
            ticks_in_flight: self.runs.len(),
            store_trouble: self.trouble.as_ref().map(|trouble| trouble.error.to_string()),
        }
    }

    /// The numbers of every job that did something, for the metrics.
    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let jobs = self.jobs.iter().flatten().map(|job| JobSeries {
            kind: std::sync::Arc::clone(&self.kinds.get(job.kind).name),
            agent: std::sync::Arc::clone(&job.agent),
            job_id: std::sync::Arc::clone(&job.id),
            counters: job.rare.as_ref().map(|rare| rare.counters.clone()),
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
            loaded: self.by_id.len(),
            max_jobs: self.options.metrics_max_jobs,
            in_flight: self.runs.len(),
            store_ok: self.trouble.is_none(),
            lag: self.lag.clone(),
        }
    }
}

fn breaker(breaker: Breaker, now: UnixMs) -> (BreakerState, Option<UnixMs>) {
    match breaker {
        Breaker::Closed => (BreakerState::Closed, None),
        Breaker::Open { until, .. } if until <= now => (BreakerState::HalfOpen, Some(until)),
        Breaker::Open { until, .. } => (BreakerState::Open, Some(until)),
    }
}
