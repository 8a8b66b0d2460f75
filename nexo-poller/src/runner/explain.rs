//! Why a job does not run, and when it will, in one sentence.

use super::status::{JobPhase, LeaseHolder};
use crate::store::{JobState, UnixMs};

pub(crate) struct Facts<'a> {
    pub(crate) state: &'a JobState,
    pub(crate) phase: JobPhase,
    pub(crate) now: UnixMs,
    /// When the runner looks at the job next; `None` where it waits for something else than its time.
    pub(crate) wakes_at: Option<UnixMs>,
    /// `None` where no tick runs, and where only the task of an abandoned one is left.
    pub(crate) running_since: Option<UnixMs>,
    pub(crate) kind: &'a str,
    /// Whether the kind has a poller.
    pub(crate) registered: bool,
    /// Ticks of the kind that run or are about to.
    pub(crate) places_taken: usize,
    /// The other daemon that was seen to hold the lease.
    pub(crate) holder: Option<&'a LeaseHolder>,
    /// Why the last slot was passed over, where one was since the runner started …
    pub(crate) last_skip: Option<&'static str>,
    /// … and how many were.
    pub(crate) skipped: u64,
    /// Why no tick starts at the moment.
    pub(crate) store_outage: Option<String>,
}

pub(crate) fn explain(facts: &Facts<'_>) -> String {
    let mut why = situation(facts);
    if let Some(skip) = facts.last_skip {
        let count = facts.skipped;
        why.push_str(&format!("; {count} runs were skipped since the runner started, the last because {skip}"));
    }
    if let Some(outage) = &facts.store_outage {
        why.push_str(&format!("; no tick starts at the moment: {outage}"));
    }
    why
}

fn situation(facts: &Facts<'_>) -> String {
    let state = facts.state;
    let next = facts.wakes_at.or(state.next.map(|next| next.due));
    let at = next.map_or_else(|| "not planned".to_owned(), |at| at.to_string());
    match facts.phase {
        JobPhase::Running => match facts.running_since {
            Some(since) => format!("running since {since}"),
            None => "its last tick was abandoned after its deadline, but its task has not ended yet; \
                     a job never runs twice at once, so it waits"
                .to_owned(),
        },
        JobPhase::Paused | JobPhase::Quarantined => match &state.pause {
            Some(pause) if facts.phase == JobPhase::Quarantined => {
                format!("quarantined since {} because its config was refused: {}", pause.at, pause.reason)
            }
            Some(pause) => format!("paused by {} since {}: {}", pause.by, pause.at, pause.reason),
            None => "paused".to_owned(),
        },
        JobPhase::Waiting if !facts.registered => format!(
            "due, but no poller of kind `{}` is registered (is its plugin running?); it runs as soon as there is one",
            facts.kind
        ),
        JobPhase::Waiting => {
            format!("due; it waits for a place: {} ticks of kind `{}` run", facts.places_taken, facts.kind)
        }
        JobPhase::Elsewhere => match facts.holder {
            Some(holder) => format!(
                "`{}` holds its lease until {} and runs it; looked at again at {at}",
                holder.owner, holder.until
            ),
            None => "another daemon runs it".to_owned(),
        },
        JobPhase::BreakerOpen => {
            format!("failed {} times in a row, so its breaker is open; probed at {at}{}", state.errors, cause(facts))
        }
        JobPhase::Backoff => format!("failed; tried again at {at} (attempt {}){}", state.attempt + 1, cause(facts)),
        JobPhase::Scheduled => format!("next run at {at}, in {} s", next.map_or(0, |at| at.since(facts.now).as_secs())),
        JobPhase::Finished => "nothing is to come: its one instant has passed; `run` starts it once more".to_owned(),
    }
}

fn cause(facts: &Facts<'_>) -> String {
    facts.state.failure.as_ref().map_or_else(String::new, |note| {
        if note.first == note.last {
            format!("; the cause: {}", note.last)
        } else {
            format!("; first: {}; last: {}", note.first, note.last)
        }
    })
}
