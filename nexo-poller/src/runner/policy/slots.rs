//! Which slot comes next, and what became of those in between.

use std::time::Duration;

use super::rule::{JobRule, Rules};
use crate::runner::job::CatchUp;
use crate::store::{JobState, Slot, UnixMs};

/// With `catch_up: all`, at most this many missed runs are made up for …
const CATCH_UP_RUNS: usize = 100;
/// … and none older than this.
const CATCH_UP_WINDOW: Duration = Duration::from_secs(86_400);
/// Skipped runs are counted up to this; beyond, the count stands still.
const COUNT_LIMIT: u32 = 1000;

/// The first slot after `after` that is due after `now`, and how many were passed over on the way.
pub(super) fn next_due_after(
    job: &JobRule<'_>,
    rules: &Rules,
    skew: i64,
    after: UnixMs,
    now: UnixMs,
) -> (Option<Slot>, u32) {
    let grid = job.grid(skew);
    // Slots before this are over whatever their jitter.
    let horizon = now.minus(job.schedule.jitter_bound(rules.default_jitter));
    let mut passed = if after < horizon { count_between(job, skew, after, horizon) } else { 0 };
    let mut scheduled_at = job.schedule.next_after(after.max(horizon), grid);
    loop {
        let Some(found) = scheduled_at else { return (None, passed) };
        let slot = job.schedule.slot(found, grid, rules.default_jitter);
        if slot.due > now {
            return (Some(slot), passed);
        }
        passed = passed.saturating_add(1).min(COUNT_LIMIT);
        scheduled_at = job.schedule.next_after(found, grid);
    }
}

/// What follows a run of `scheduled_at` that ended at `now`: the slot, and how many were passed over.
pub(super) fn following(
    job: &JobRule<'_>,
    rules: &Rules,
    state: &JobState,
    scheduled_at: UnixMs,
    now: UnixMs,
) -> (Option<Slot>, u32) {
    if job.catch_up == CatchUp::All {
        let grid = job.grid(state.skew);
        let from = scheduled_at.max(oldest_to_catch_up(job, state.skew, now));
        let passed = if from > scheduled_at { count_between(job, state.skew, scheduled_at, from) } else { 0 };
        let next = job.schedule.next_after(from, grid).map(|found| {
            let slot = job.schedule.slot(found, grid, rules.default_jitter);
            Slot { due: slot.due.max(now), ..slot }
        });
        return (next, passed);
    }
    next_due_after(job, rules, state.skew, scheduled_at, now)
}

/// Just before the oldest slot that `catch_up: all` still runs.
fn oldest_to_catch_up(job: &JobRule<'_>, skew: i64, now: UnixMs) -> UnixMs {
    let grid = job.grid(skew);
    let window = now.minus(CATCH_UP_WINDOW);
    let back = std::iter::successors(job.schedule.last_before(now, grid), |slot| job.schedule.last_before(*slot, grid));
    back.take(CATCH_UP_RUNS).take_while(|slot| *slot >= window).last().map_or(now, |oldest| UnixMs(oldest.0 - 1))
}

/// Slots after `after`, up to and including `until`; an upper bound keeps it cheap.
fn count_between(job: &JobRule<'_>, skew: i64, after: UnixMs, until: UnixMs) -> u32 {
    if job.schedule.is_interval() {
        let interval = job.schedule.typical_interval().as_millis().max(1);
        let count = until.since(after).as_millis() / interval;
        return u32::try_from(count).unwrap_or(COUNT_LIMIT).min(COUNT_LIMIT);
    }
    let grid = job.grid(skew);
    let slots =
        std::iter::successors(job.schedule.next_after(after, grid), |slot| job.schedule.next_after(*slot, grid));
    let count = slots.take_while(|slot| *slot <= until).take(COUNT_LIMIT as usize).count();
    u32::try_from(count).unwrap_or(COUNT_LIMIT)
}
