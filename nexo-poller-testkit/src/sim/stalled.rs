use std::sync::Arc;
use std::time::Duration;

use nexo_poller::store::{JobState, UnixMs};

use super::history::{Broken, Entry, What};

/// A job that is due runs within this, in a world without trouble: the longest lease of a dead runner, and a little.
const PATIENCE: Duration = Duration::from_secs(600);

/// Jobs that stopped in silence: due for long, not paused, in a world that was well.
pub(super) fn stalled(states: &[(Arc<str>, JobState)], entries: &[Entry], now: UnixMs) -> Vec<Broken> {
    let trouble = |entry: &&Entry| {
        matches!(
            entry.what,
            What::TroubleEnded(_)
                | What::ClockSet { .. }
                | What::RunnerStarted
                | What::RunnerStopped
                | What::RunnerCrashed
        )
    };
    let well_since = entries.iter().rev().find(trouble).map_or(now, |entry| entry.at);
    let still_in_trouble = entries
        .iter()
        .map(|entry| match entry.what {
            What::TroubleBegan(_) | What::RunnerCrashed | What::RunnerStopped => 1,
            What::TroubleEnded(_) | What::RunnerStarted => -1,
            _ => 0,
        })
        .sum::<i32>();
    let runners = entries.iter().filter(|entry| matches!(entry.what, What::RunnerStarted)).map(|entry| entry.runner);
    let runners = i32::from(runners.max().unwrap_or(0));
    if still_in_trouble > -runners || now.since(well_since) < PATIENCE {
        return Vec::new();
    }
    let silent = states.iter().filter(|(_, state)| {
        state.pause.is_none() && state.next.is_some_and(|next| now.since(next.due.max(well_since)) > PATIENCE)
    });
    let mut broken: Vec<Broken> = silent
        .map(|(job, state)| {
            let due = state.next.map_or(now, |next| next.due);
            let rule = format!("no job stops in silence, but this one is due since {due} and did not run");
            Broken { at: now, job: job.to_string(), rule }
        })
        .collect();
    broken.sort_by(|a, b| a.job.cmp(&b.job));
    broken
}
