//! A run's outcome is durable: what is said about it, to whom, and what it adds to the counters.

use super::core::Engine;
use super::job::{Cold, Job};
use super::pending::PendingCommit;
use crate::contract::ErrorClass;
use crate::runner::policy::{self, Outcome};
use crate::runner::status::TickReport;
use crate::store::{JobState, PauseCause, RunOutcome};

impl Engine {
    pub(super) fn committed(&mut self, mut pending: PendingCommit) {
        let index = pending.job;
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(index) else { return };
        let before = std::mem::replace(&mut job.state, std::mem::take(&mut pending.finished.state));
        // The clock was set back while this was on its way.
        if job.state.last.is_some_and(|last| last.ended > now.plus(policy::CLOCKS_DIFFER)) {
            let ahead = std::mem::take(&mut job.state);
            job.state = policy::adopt(&job.rule(), &self.rules, ahead, now);
        }
        let (outcome, error) = described(&pending.outcome);
        log(job, &pending, &before, outcome, error.as_deref());
        count(job.cold_mut(), &pending, outcome);
        if let Some(manual) = pending.manual.take() {
            let report = TickReport {
                job_id: job.id.to_string(),
                run_key: pending.run.scheduled_at,
                outcome,
                error: error.clone(),
                metrics: pending.metrics,
                took: pending.took,
                next_due: job.due(),
            };
            manual.report(report);
        }
        self.observe_end(&pending, outcome, error.as_deref());
        if let Some(text) = pending.finished.alert {
            self.alert(index, text);
        }
        self.run_is_over(index);
    }
}

fn described(outcome: &Outcome) -> (RunOutcome, Option<String>) {
    match outcome {
        Outcome::Ok { .. } => (RunOutcome::Ok, None),
        Outcome::Failed { class, message, .. } => {
            let outcome = match class {
                ErrorClass::Transient => RunOutcome::Transient,
                ErrorClass::Permanent => RunOutcome::Permanent,
                ErrorClass::Config => RunOutcome::Config,
            };
            (outcome, Some(message.clone()))
        }
    }
}

fn log(job: &Job, pending: &PendingCommit, before: &JobState, outcome: RunOutcome, error: Option<&str>) {
    if let Some(message) = error {
        tracing::warn!(
            job = %job.id, agent = %job.agent, run_key = pending.run.scheduled_at.0, outcome = outcome.as_str(),
            errors = job.state.errors, "the tick failed: {message}"
        );
    }
    let pause = job.state.pause.as_ref();
    let remedy = match pause.filter(|_| before.pause.is_none()).map(|pause| pause.cause) {
        Some(PauseCause::Permanent) => Some("until somebody resumes it"),
        Some(PauseCause::Config) => Some("until its config is fixed"),
        // Whoever paused it knows.
        Some(PauseCause::Operator | PauseCause::OnBoot) | None => None,
    };
    if let Some(remedy) = remedy {
        tracing::error!(job = %job.id, "the job is paused {remedy}");
    }
    if error.is_none() && before.errors > 0 {
        let says = if pause.is_none() { "the job works again" } else { "the tick went well; the job stays paused" };
        tracing::info!(job = %job.id, failures = before.errors, "{says}");
    }
}

fn count(cold: &mut Cold, pending: &PendingCommit, outcome: RunOutcome) {
    let counters = &mut cold.counters;
    match outcome {
        RunOutcome::Ok => counters.ok += 1,
        RunOutcome::Transient => counters.transient += 1,
        RunOutcome::Permanent | RunOutcome::Config => counters.permanent += 1,
    }
    counters.latency.record(pending.took);
    counters.skipped_overlap += u64::from(pending.finished.skipped_overlap);
    counters.skipped_misfire += u64::from(pending.finished.skipped_misfire);
    if pending.finished.skipped_overlap > 0 {
        cold.last_skip = Some("it came while the run before it still ran");
    } else if pending.finished.skipped_misfire > 0 {
        cold.last_skip = Some("it was missed, and one later run stood for it");
    }
    if let Some(metrics) = &pending.metrics {
        counters.items_seen += u64::from(metrics.items_seen);
        counters.items_dispatched += u64::from(metrics.items_dispatched);
    }
}
