use std::collections::HashMap;
use std::time::Duration;

use nexo_poller::runner::{RunnerEvent, RunnerEventKind};
use nexo_poller::store::{Breaker, JobState, RunOutcome, UnixMs};
use nexo_poller::unstable::policy::Change;

use super::history::{Cause, End, Entry, JobNumber, RetryReason, Run, SimulatedJob, SkipReason, Text, What};
use super::scenario::Named;

/// A run that starts within this after it was due is on time.
const ON_TIME: Duration = Duration::from_secs(1);

/// Writes down what runners say they do.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) entries: Vec<Entry>,
    pub(super) texts: Vec<String>,
    numbers: HashMap<String, usize>,
    known_texts: HashMap<String, Text>,
    notes: Vec<Note>,
    /// Where the entries of ticks in flight are, by job and runner.
    open: HashMap<(usize, u8), usize>,
    grace: Duration,
}

/// What is known of a job between two of its runs.
#[derive(Debug, Clone, Default)]
struct Note {
    failed: bool,
    asked: bool,
    /// The next run was planned for an instant that had passed already.
    behind: bool,
    paused: bool,
}

impl Recorder {
    /// Runs later than `grace` were missed.
    pub(super) fn new(jobs: &[SimulatedJob], grace: Duration) -> Self {
        Self {
            entries: Vec::new(),
            texts: Vec::new(),
            numbers: jobs.iter().enumerate().map(|(number, job)| (job.id.clone(), number)).collect(),
            known_texts: HashMap::new(),
            notes: vec![Note::default(); jobs.len()],
            open: HashMap::new(),
            grace,
        }
    }

    /// What a runner's observer is told.
    pub(super) fn observe(&mut self, runner: u8, event: &RunnerEvent<'_>) {
        let at = event.at;
        let Some(job) = event.job.and_then(|id| self.numbers.get(id).copied()) else { return };
        match event.what {
            RunnerEventKind::Started { run_key, due, attempt, manual } => {
                self.started(at, job, runner, &Start { slot: run_key, due, attempt, manual });
            }
            RunnerEventKind::Ended { outcome, error, asked, skipped_overlap, skipped_misfire, state, .. } => {
                let end = Ended { outcome, error, asked, skipped_overlap, skipped_misfire };
                self.ended(at, job, runner, &end, state);
            }
            RunnerEventKind::Void { reason, .. } => self.close(at, job, runner, End::Void, Some(reason)),
            RunnerEventKind::Skipped { count, .. } => self.skipped(at, job, runner, count),
            RunnerEventKind::Held { until, .. } => self.push(at, job, runner, What::Held { until }),
            RunnerEventKind::TookOver => self.push(at, job, runner, What::TookOver),
            RunnerEventKind::Changed { change, state } => self.changed(at, job, runner, change, state),
            _ => {}
        }
    }

    pub(super) fn started(&mut self, at: UnixMs, job: usize, runner: u8, start: &Start) {
        let note = &mut self.notes[job];
        let late = at.since(start.due);
        let cause = if start.manual {
            Cause::ByHand
        } else if note.failed {
            Cause::Retry
        } else if note.behind || late > self.grace {
            Cause::CatchUp
        } else if note.asked {
            Cause::Asked
        } else if late > ON_TIME {
            Cause::Late
        } else {
            Cause::OnTime
        };
        let attempt = u16::try_from(start.attempt).unwrap_or(u16::MAX);
        let message = Text::default();
        let run = Run { slot: start.slot, took_ms: 0, attempt, cause, end: End::Running, message };
        self.open.insert((job, runner), self.entries.len());
        self.push(at, job, runner, What::Ran(run));
    }

    pub(super) fn ended(&mut self, at: UnixMs, job: usize, runner: u8, ended: &Ended<'_>, state: &JobState) {
        let end = match ended.outcome {
            RunOutcome::Ok => End::Ok,
            RunOutcome::Transient => End::Transient,
            RunOutcome::Permanent => End::Permanent,
            RunOutcome::Config => End::Config,
        };
        self.close(at, job, runner, end, ended.error);
        let note = &mut self.notes[job];
        let failed = end == End::Transient;
        note.failed = failed;
        note.asked = end == End::Ok && ended.asked.is_some();
        let settled = state.last.map_or(at, |last| last.ended);
        note.behind = !failed && state.next.is_some_and(|next| next.due <= settled);
        for (count, why) in [(ended.skipped_overlap, SkipReason::Overlap), (ended.skipped_misfire, SkipReason::Missed)]
        {
            if count > 0 {
                self.push(at, job, runner, What::Skipped { count, why });
            }
        }
        if let (true, Some(next)) = (failed, state.next) {
            let why = match (state.breaker, ended.asked) {
                (_, Some(after)) if !after.is_zero() => RetryReason::RetryAfter,
                (Breaker::Open { .. }, _) => RetryReason::Breaker,
                _ => RetryReason::Backoff,
            };
            self.push(at, job, runner, What::Retry { due: next.due, why, failures: state.errors });
        }
        self.note_pause(at, job, runner, state);
    }

    /// Runs that `catch_up: skip` leaves out.
    pub(super) fn skipped(&mut self, at: UnixMs, job: usize, runner: u8, count: u32) {
        self.notes[job] = Note { paused: self.notes[job].paused, ..Note::default() };
        self.push(at, job, runner, What::Skipped { count, why: SkipReason::LeftOut });
    }

    pub(super) fn changed(&mut self, at: UnixMs, job: usize, runner: u8, change: &Change, state: &JobState) {
        if let Change::Resume | Change::Reset = change {
            self.notes[job] = Note::default();
            self.push(at, job, runner, if *change == Change::Reset { What::Reset } else { What::Resumed });
        }
        self.note_pause(at, job, runner, state);
    }

    /// A runner is gone, and every tick of it.
    pub(super) fn crashed(&mut self, at: UnixMs, runner: u8) {
        let died: Vec<usize> = self.open.keys().filter(|(_, of)| *of == runner).map(|(job, _)| *job).collect();
        for job in died {
            self.close(at, job, runner, End::Died, None);
        }
        self.world(at, runner, What::RunnerCrashed);
    }

    /// Something that concerns no single job.
    pub(super) fn world(&mut self, at: UnixMs, runner: u8, what: What) {
        self.entries.push(Entry { at, runner, job: JobNumber::NONE, what });
    }

    /// Trouble of the scenario, of one job or of all.
    pub(super) fn trouble(&mut self, at: UnixMs, trouble: &Named, what: impl FnOnce(Text) -> What) {
        let text = self.keep(&trouble.name);
        let job = trouble.job.as_ref().and_then(|id| self.numbers.get(id));
        let job = job.map_or(JobNumber::NONE, |number| JobNumber::of(*number));
        self.entries.push(Entry { at, runner: 0, job, what: what(text) });
    }

    fn keep(&mut self, text: &str) -> Text {
        if let Some(known) = self.known_texts.get(text) {
            return *known;
        }
        let kept = Text::at(self.texts.len());
        self.texts.push(text.to_owned());
        self.known_texts.insert(text.to_owned(), kept);
        kept
    }

    fn close(&mut self, at: UnixMs, job: usize, runner: u8, end: End, message: Option<&str>) {
        let message = message.map_or_else(Text::default, |message| self.keep(message));
        let Some(index) = self.open.remove(&(job, runner)) else { return };
        let entry = &mut self.entries[index];
        let took_ms = u32::try_from(at.since(entry.at).as_millis()).unwrap_or(u32::MAX);
        if let What::Ran(run) = &mut entry.what {
            *run = Run { end, message, took_ms, ..*run };
        }
    }

    fn note_pause(&mut self, at: UnixMs, job: usize, runner: u8, state: &JobState) {
        let was = std::mem::replace(&mut self.notes[job].paused, state.pause.is_some());
        if let (false, Some(pause)) = (was, &state.pause) {
            let reason = self.keep(&pause.reason);
            self.push(at, job, runner, What::Paused { cause: pause.cause, reason });
        }
    }

    fn push(&mut self, at: UnixMs, job: usize, runner: u8, what: What) {
        self.entries.push(Entry { at, runner, job: JobNumber::of(job), what });
    }
}

/// How a tick starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) slot: UnixMs,
    pub(super) due: UnixMs,
    pub(super) attempt: u32,
    pub(super) manual: bool,
}

/// How a tick ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) outcome: RunOutcome,
    pub(super) error: Option<&'a str>,
    pub(super) asked: Option<Duration>,
    pub(super) skipped_overlap: u32,
    pub(super) skipped_misfire: u32,
}
