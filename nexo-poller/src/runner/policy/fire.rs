use super::slots::next_due_after;
use super::{JobRule, Rules};
use crate::runner::CatchUp;
use crate::store::{JobState, UnixMs};

/// What is to be done about a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fire {
    /// It is due: run it.
    Run {
        /// The run's key within the job.
        nominal: UnixMs,
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
        let (next, passed) = next_due_after(job, rules, state.skew, slot.nominal, now);
        let state = JobState { next, attempt: 0, backoff_until: None, ..state.clone() };
        return Fire::Skip { state: Box::new(state), skipped: passed.saturating_add(1) };
    }
    Fire::Run { nominal: slot.nominal, attempt: state.attempt }
}
