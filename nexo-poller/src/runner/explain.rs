//! Why a job does not run, and when it will, in one sentence.

use super::engine::Job;
use super::status::JobPhase;
use crate::store::UnixMs;

pub(crate) struct Facts<'a> {
    pub(crate) job: &'a Job,
    pub(crate) phase: JobPhase,
    pub(crate) now: UnixMs,
    pub(crate) running_since: Option<UnixMs>,
    pub(crate) kind: &'a str,
    pub(crate) registered: bool,
    pub(crate) in_use: usize,
    pub(crate) store_trouble: Option<String>,
}

pub(crate) fn explain(facts: &Facts<'_>) -> String {
    let mut why = situation(facts);
    let rare = facts.job.rare.as_ref();
    if let Some(skip) = rare.and_then(|rare| rare.last_skip) {
        let counters = &rare.map(|rare| rare.counters.clone()).unwrap_or_default();
        let count = counters.skipped_overlap + counters.skipped_misfire;
        why.push_str(&format!("; {count} runs were skipped since the runner started, the last because {skip}"));
    }
    if let Some(trouble) = &facts.store_trouble {
        why.push_str(&format!("; no tick starts at the moment: {trouble}"));
    }
    why
}

fn situation(facts: &Facts<'_>) -> String {
    let state = &facts.job.state;
    let next = facts.job.wake.or(state.next.map(|next| next.due));
    let at = next.map_or_else(|| "not planned".to_owned(), |at| at.to_string());
    let id = &facts.job.id;
    match facts.phase {
        JobPhase::Running => match facts.running_since {
            Some(since) => format!("running since {since}"),
            None => "its last tick was abandoned after its deadline, but its task has not ended yet; \
                     a job never runs twice at once, so it waits"
                .to_owned(),
        },
        JobPhase::Paused | JobPhase::Quarantined => match &state.pause {
            Some(pause) if facts.phase == JobPhase::Quarantined => format!(
                "quarantined since {} because its config was refused: {}; mend the config and reload",
                pause.at, pause.reason
            ),
            Some(pause) => format!(
                "paused by {} since {}: {}; `nexo-poller resume {id}` lets it run again",
                pause.by, pause.at, pause.reason
            ),
            None => "paused".to_owned(),
        },
        JobPhase::Waiting if !facts.registered => format!(
            "due, but no poller of kind `{}` is registered (is its plugin running?); it runs as soon as there is one",
            facts.kind
        ),
        JobPhase::Waiting => format!("due; it waits for a place: {} ticks of kind `{}` run", facts.in_use, facts.kind),
        JobPhase::Elsewhere => match facts.job.rare.as_ref().and_then(|rare| rare.holder.as_ref()) {
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
        JobPhase::Finished => "nothing is to come: its one instant has passed; `run` starts it by hand".to_owned(),
    }
}

fn cause(facts: &Facts<'_>) -> String {
    facts.job.state.failure.as_ref().map_or_else(String::new, |note| {
        if note.first == note.last {
            format!("; the cause: {}", note.last)
        } else {
            format!("; first: {}; last: {}", note.first, note.last)
        }
    })
}
