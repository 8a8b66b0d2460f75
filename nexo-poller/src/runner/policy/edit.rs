use std::time::Duration;

use super::rule::{CLOCKS_DIFFER, JobRule, LONGEST_DETOUR, LONGEST_SET_BACK, Rules};
use super::slots::next_due_after;
use crate::store::{Breaker, JobState, Pause, PauseCause, Slot, UnixMs};

/// A change to a job that is not a run's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Stop running it.
    Pause(Pause),
    /// Run it again, from its cursor.
    Resume,
    /// Forget cursor, failures and pause.
    Reset,
    /// Resume from this cursor; what was there becomes the previous one.
    SetCursor(Option<Box<[u8]>>),
    /// The definition changed, or the runner has just started: see [`adopt`].
    Adopt,
    /// The wall clock was set back while the runner ran.
    ClockSetBack,
}

/// The job's state after `change` at `now`.
#[must_use]
pub fn edit(job: &JobRule<'_>, rules: &Rules, mut state: JobState, change: &Change, now: UnixMs) -> JobState {
    if !matches!(change, Change::Adopt | Change::ClockSetBack) {
        notice_set_back(job, rules, &mut state, now);
    }
    match change {
        Change::Pause(pause) => state.pause = Some(Box::new(pause.clone())),
        Change::Resume => {
            state.pause = None;
            start_over(&mut state);
            plan(job, rules, &mut state, now);
        }
        Change::SetCursor(cursor) => {
            state.previous_cursor = std::mem::replace(&mut state.cursor, cursor.clone());
        }
        Change::Reset => {
            if state.cursor.is_some() {
                state.previous_cursor = state.cursor.take();
            }
            state.pause = None;
            (state.last_success, state.last_alert) = (None, None);
            start_over(&mut state);
            plan(job, rules, &mut state, now);
        }
        Change::Adopt => return adopt(job, rules, state, now),
        Change::ClockSetBack => clock_set_back(job, rules, &mut state, now),
    }
    state
}

/// A stored state under the job's present definition: another schedule is planned again, another config lifts a quarantine,
/// a clock that was set back starts intervals over. All else, the cursor first, stays as it was.
#[must_use]
pub fn adopt(job: &JobRule<'_>, rules: &Rules, mut state: JobState, now: UnixMs) -> JobState {
    let config_is_another =
        state.pause.as_ref().is_some_and(|p| p.cause == PauseCause::Config && p.config != job.config);
    if config_is_another {
        state.pause = None;
        start_over(&mut state);
        plan(job, rules, &mut state, now);
    } else if state.planned_by != job.schedule.fingerprint() {
        state.attempt = 0;
        plan(job, rules, &mut state, now);
        if let (Some(slot), Some(until)) = (&mut state.next, state.backoff_until) {
            slot.due = slot.due.max(until);
        }
    }
    notice_set_back(job, rules, &mut state, now);
    state
}

/// Nothing ended in the future: a state that says so was written before the clock was set back.
fn notice_set_back(job: &JobRule<'_>, rules: &Rules, state: &mut JobState, now: UnixMs) {
    if ends_ahead(state, now) || is_far_off(job, state, now) {
        clock_set_back(job, rules, state, now);
    }
}

/// Whether the job waits for an instant that only a clock which was wrong can have named.
fn is_far_off(job: &JobRule<'_>, state: &JobState, now: UnixMs) -> bool {
    // A job that runs once has an instant of its own, and is not to run twice because of a clock.
    if job.schedule.is_once() {
        return false;
    }
    if state.last.is_some_and(|last| last.scheduled_at > now.plus(LONGEST_SET_BACK)) {
        return true;
    }
    // The schedule is asked only where that is likely: it takes a while, and there may be a million jobs.
    let Some(next) = state.next.filter(|next| next.scheduled_at > now.plus(LONGEST_DETOUR)) else { return false };
    let first = job.schedule.next_after(now, job.grid(state.skew));
    first.is_some_and(|first| next.scheduled_at > first.plus(LONGEST_DETOUR))
}

/// Whether the last run ended later than now.
pub(super) fn ends_ahead(state: &JobState, now: UnixMs) -> bool {
    state.last.is_some_and(|last| last.ended > now.plus(CLOCKS_DIFFER))
}

/// Everything that waits for an instant of the old clock.
fn clock_set_back(job: &JobRule<'_>, rules: &Rules, state: &mut JobState, now: UnixMs) {
    let starts_over = job.schedule.is_interval() || is_far_off(job, state, now);
    if let Some(last) = &mut state.last {
        last.ended = last.ended.min(now);
        if starts_over && last.scheduled_at > now.plus(LONGEST_SET_BACK) {
            (last.scheduled_at, last.started) = (now, last.started.min(now));
        }
    }
    state.last_success = state.last_success.map(|at| at.min(now));
    state.last_alert = state.last_alert.map(|at| at.min(now));
    let longest = rules.backoff_cap.max(Duration::from_secs(3600)).max(job.schedule.typical_interval());
    state.backoff_until = state.backoff_until.map(|until| until.min(now.plus(longest)));
    if let Breaker::Open { until, trips } = state.breaker {
        state.breaker = Breaker::Open { until: until.min(now.plus(longest)), trips };
    }
    if starts_over {
        // The same grid would name the same instants again; a run key is never used twice.
        state.skew += 1;
        state.attempt = 0;
        plan(job, rules, state, now);
        if let (Some(slot), Some(until)) = (&mut state.next, state.backoff_until) {
            slot.due = slot.due.max(until);
        }
    } else if let (Some(slot), Some(until)) = (&mut state.next, state.backoff_until) {
        // Times of the day wait for the day; a retry does not.
        slot.due = slot.due.min(until);
    }
}

fn start_over(state: &mut JobState) {
    (state.errors, state.attempt) = (0, 0);
    (state.backoff_until, state.failure) = (None, None);
    state.breaker = Breaker::Closed;
}

/// Plans the next slot from `now` on.
fn plan(job: &JobRule<'_>, rules: &Rules, state: &mut JobState, now: UnixMs) {
    let planned_before = state.planned_by == job.schedule.fingerprint();
    state.planned_by = job.schedule.fingerprint();
    // A job that runs once and never succeeded is run as soon as it may.
    if let Some(slot) = state.next.filter(|_| planned_before && job.schedule.is_once()) {
        state.next = Some(Slot { due: slot.scheduled_at.max(now), ..slot });
        return;
    }
    // Slots of cron jobs never go back; those of intervals have a skew where the clock did.
    let after = match state.last {
        Some(last) if planned_before && !job.schedule.is_interval() => last.scheduled_at.max(now),
        _ => now,
    };
    state.next = next_due_after(job, rules, state.skew, after, now).0;
}
