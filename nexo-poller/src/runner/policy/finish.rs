use std::fmt;
use std::time::Duration;

use super::edit::ends_ahead;
use super::retry;
use super::rule::{CLOCKS_DIFFER, JobRule, LONGEST_SET_BACK, Rules};
use super::slots::following;
use crate::contract::ErrorClass;
use crate::runner::job::CatchUp;
use crate::store::{Breaker, FailureNote, JobState, LastRun, Pause, PauseCause, RunOutcome, Slot, UnixMs};

/// The longest that a tick may put off its next slot.
const MAX_HINT: Duration = Duration::from_secs(7 * 86_400);
/// The shortest: a tick that says "at once" does not spin.
const MIN_HINT: Duration = Duration::from_millis(10);

/// A run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// Its key within the job.
    pub scheduled_at: UnixMs,
    /// When it started.
    pub started: UnixMs,
    /// An operator asked for it: the schedule does not move.
    pub manual: bool,
}

impl Run {
    /// A run of the schedule's, or one that an operator has asked for.
    #[must_use]
    pub const fn new(scheduled_at: UnixMs, started: UnixMs, manual: bool) -> Self {
        Self { scheduled_at, started, manual }
    }
}

/// How it ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Ok {
        /// `None` keeps the cursor, an empty one forgets it.
        cursor: Option<Vec<u8>>,
        /// When to come back, for the upcoming slot only.
        hint: Option<Duration>,
    },
    /// It failed.
    Failed {
        /// What kind of failure.
        class: ErrorClass,
        /// What happened.
        message: String,
        /// The source's own word on when to come back.
        retry_after: Option<Duration>,
    },
}

/// Shows no cursor and no message: either may hold a secret.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok { hint, .. } => f.debug_struct("Ok").field("hint", hint).finish_non_exhaustive(),
            Self::Failed { class, retry_after, .. } => {
                f.debug_struct("Failed").field("class", class).field("retry_after", retry_after).finish_non_exhaustive()
            }
        }
    }
}

/// What follows from a run's end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// What the job becomes.
    pub state: JobState,
    /// Slots that came and went because this run still ran.
    pub skipped_overlap: u32,
    /// Slots that came and went before it started.
    pub skipped_misfire: u32,
    /// What to tell `failure_to`, if anything.
    pub alert: Option<String>,
}

/// What follows from the end of `run` at `now`. `random` is any number: the same one gives the same answer.
#[must_use]
pub fn finish(
    job: &JobRule<'_>,
    rules: &Rules,
    mut state: JobState,
    run: &Run,
    outcome: Outcome,
    now: UnixMs,
    random: u64,
) -> Finished {
    let mut finished = Finished { state: JobState::default(), skipped_overlap: 0, skipped_misfire: 0, alert: None };
    let kind = match &outcome {
        Outcome::Ok { .. } => RunOutcome::Ok,
        Outcome::Failed { class: ErrorClass::Transient, .. } => RunOutcome::Transient,
        Outcome::Failed { class: ErrorClass::Permanent, .. } => RunOutcome::Permanent,
        Outcome::Failed { class: ErrorClass::Config, .. } => RunOutcome::Config,
    };
    if job.schedule.is_interval() && ends_ahead(&state, now) {
        // The same grid would name the same instants again.
        state.skew += 1;
    }
    // Where the clock was years ahead, what follows must not wait for the instant that it named.
    let far = !job.schedule.is_once() && run.scheduled_at > now.plus(LONGEST_SET_BACK);
    let scheduled_at = if far { now } else { run.scheduled_at };
    state.last = Some(LastRun { scheduled_at, started: run.started, ended: now, outcome: kind });
    match outcome {
        Outcome::Ok { cursor, hint } => {
            move_cursor(&mut state, cursor);
            let was_retrying = state.attempt > 0;
            (state.errors, state.attempt) = (0, 0);
            (state.backoff_until, state.failure) = (None, None);
            state.breaker = Breaker::Closed;
            state.last_success = Some(now);
            if !run.manual || was_retrying {
                advance(job, rules, &mut finished, &mut state, run, now);
            }
            if let Some(hint) = hint {
                apply_hint(job, &mut state, hint, run, now);
            }
        }
        Outcome::Failed { class: ErrorClass::Transient, message, retry_after } => {
            // Zero is no hint: it would switch backoff and breaker off.
            let (until, opened) = match retry_after.filter(|after| !after.is_zero()) {
                Some(after) => (retry::rate_limited(&mut state, after, now, random), false),
                None => retry::failed(&mut state, rules, job.schedule.typical_interval(), now, random),
            };
            state.backoff_until = Some(until);
            // The retry is of the same run; one by hand leaves the run that is planned alone, but not before the backoff.
            let scheduled_at = match state.next {
                Some(slot) if run.manual => slot.scheduled_at,
                _ => run.scheduled_at,
            };
            if !run.manual || state.next.is_some() {
                let due = state.next.filter(|_| run.manual).map_or(until, |slot| slot.due.max(until));
                state.next = Some(Slot { scheduled_at, due });
            }
            note_failure(&mut state, &message);
            if opened {
                let errors = state.errors;
                finished.alert = alert(&mut state, rules, now, || {
                    format!("failed {errors} times in a row and is only probed from now on: {message}")
                });
            }
        }
        Outcome::Failed { class, message, .. } => {
            state.errors = state.errors.saturating_add(1);
            state.backoff_until = None;
            note_failure(&mut state, &message);
            let (cause, config) = match class {
                ErrorClass::Config => (PauseCause::Config, job.config),
                _ => (PauseCause::Permanent, 0),
            };
            finished.alert = alert(&mut state, rules, now, || format!("is paused: {message}"));
            // An operator's pause, made while the tick ran, keeps its author.
            if state.pause.is_none() {
                state.pause =
                    Some(Box::new(Pause { cause, reason: message, by: "runner".to_owned(), at: now, config }));
            }
        }
    }
    finished.state = state;
    finished
}

fn move_cursor(state: &mut JobState, cursor: Option<Vec<u8>>) {
    let Some(candidate) = cursor else { return };
    let candidate = Some(candidate.into_boxed_slice()).filter(|cursor| !cursor.is_empty());
    if candidate != state.cursor {
        state.previous_cursor = std::mem::replace(&mut state.cursor, candidate);
    }
}

/// Puts the clock past the run, and past what was missed meanwhile.
fn advance(job: &JobRule<'_>, rules: &Rules, finished: &mut Finished, state: &mut JobState, run: &Run, now: UnixMs) {
    let from = match state.next {
        // The slot is still to come, or the clock was set back past a run that failed. It keeps its key: planned again from
        // now, it could get the key of a run that completed before the clock was set. Only the backoff is over.
        Some(slot) if run.manual && slot.scheduled_at > now => {
            state.next = Some(job.schedule.slot(slot.scheduled_at, job.grid(state.skew), rules.default_jitter));
            return;
        }
        // The run that had failed is done.
        Some(slot) if run.manual => slot.scheduled_at,
        // The grid moves on with it, or the slots until then would come a second time.
        _ if was_set_back(job, run, now) => {
            state.skew += 1;
            now
        }
        _ => run.scheduled_at,
    };
    let (next, passed) = following(job, rules, state, from, now);
    state.next = next;
    if passed > 0 {
        let interval = job.schedule.typical_interval().as_millis().max(1);
        let during = u32::try_from(now.since(run.started.max(from)).as_millis() / interval).unwrap_or(u32::MAX);
        finished.skipped_overlap = if job.catch_up == CatchUp::All { 0 } else { during.min(passed) };
        finished.skipped_misfire = passed - finished.skipped_overlap;
    }
}

/// Moves the upcoming slot, once. The run it becomes has a key of its own, later than the one that just ended.
fn apply_hint(job: &JobRule<'_>, state: &mut JobState, hint: Duration, run: &Run, now: UnixMs) {
    if state.next.is_some() && !run.manual {
        let due = now.plus(hint.clamp(MIN_HINT, MAX_HINT));
        let later = UnixMs(run.scheduled_at.0.saturating_add(1));
        let scheduled_at = if was_set_back(job, run, now) { due } else { due.max(later) };
        state.next = Some(Slot { scheduled_at, due });
    }
}

/// The clock was set back while the run went on: its key lies ahead, and waiting for that instant would stop the job for as long.
/// Times of the day wait for a day.
fn was_set_back(job: &JobRule<'_>, run: &Run, now: UnixMs) -> bool {
    let waits = if job.schedule.is_interval() { CLOCKS_DIFFER } else { LONGEST_SET_BACK };
    !run.manual && !job.schedule.is_once() && run.scheduled_at > now.plus(waits)
}

/// The first cause is kept: what fails later is often only a consequence.
fn note_failure(state: &mut JobState, message: &str) {
    match &mut state.failure {
        Some(note) => note.last = message.to_owned(),
        None => {
            state.failure = Some(Box::new(FailureNote { first: message.to_owned(), last: message.to_owned() }));
        }
    }
}

fn alert(state: &mut JobState, rules: &Rules, now: UnixMs, text: impl FnOnce() -> String) -> Option<String> {
    let quiet = state.last_alert.is_some_and(|last| last <= now && now.since(last) < rules.failure_alert_cooldown);
    (!quiet).then(|| {
        state.last_alert = Some(now);
        text()
    })
}
