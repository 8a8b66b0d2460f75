use super::rule::{JobRule, Rules};
use super::slots::next_due_after;
use crate::runner::job::CatchUp;
use crate::store::{JobState, UnixMs};

/// What is to be done about a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fire {
    /// It is due: run it.
    Run {
        /// The run's key within the job.
        scheduled_at: UnixMs,
        /// 0 for the first attempt at this run.
        attempt: u32,
    },
    /// Its run was missed and is left out (`catch_up: skip`): store `state`, which waits for the next slot.
    Skip {
        /// The new state.
        state: Box<JobState>,
        /// How many runs are left out.
        skipped: u32,
    },
    /// It is not due before this.
    Wait(UnixMs),
    /// It is paused, or has nothing to come.
    Never,
}

/// What is to be done about a job at `now`.
#[must_use]
pub fn fire(job: &JobRule<'_>, rules: &Rules, state: &JobState, now: UnixMs) -> Fire {
    let Some(slot) = state.next.filter(|_| state.pause.is_none()) else {
        return Fire::Never;
    };
    if slot.due > now {
        return Fire::Wait(slot.due);
    }
    if job.catch_up == CatchUp::Skip && now.since(slot.due) > rules.misfire_grace {
        let (next, passed) = next_due_after(job, rules, state.skew, slot.scheduled_at, now);
        let state = JobState { next, attempt: 0, backoff_until: None, ..state.clone() };
        return Fire::Skip { state: Box::new(state), skipped: passed.saturating_add(1) };
    }
    Fire::Run { scheduled_at: slot.scheduled_at, attempt: state.attempt }
}

/// The key of a run that an operator asks for at `now`: one that no run had, and that no slot of the schedule has.
#[must_use]
pub fn manual_key(job: &JobRule<'_>, state: &JobState, now: UnixMs) -> UnixMs {
    let after_last = state.last.map_or(now, |last| UnixMs(last.scheduled_at.0.saturating_add(1)));
    let grid = job.grid(state.skew);
    let is_slot = |key: UnixMs| {
        let slot = job.schedule.next_after(UnixMs(key.0.saturating_sub(1)), grid);
        slot == Some(key) || state.next.is_some_and(|next| next.scheduled_at == key)
    };
    // Slots are ten milliseconds apart at least, so one of the next few is free.
    let mut key = now.max(after_last);
    while is_slot(key) {
        key = UnixMs(key.0.saturating_add(1));
    }
    key
}
