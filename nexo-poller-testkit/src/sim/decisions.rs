use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use nexo_poller::contract::{ErrorClass, PollerError};
use nexo_poller::runner::JobSpec;
use nexo_poller::store::{JobState, Pause, PauseCause, RunOutcome, UnixMs};
use nexo_poller::unstable::policy::{self, Change, Fire, JobRule, Outcome, Rules, Run};

use super::history::{History, Text, What};
use super::random::{Random, mix};
use super::recorder::{Ended, Recorder, Start};
use super::scenario::{Act, Met, Named, Scenario, Trouble};
use super::simulation::Simulation;
use super::source::counted;

/// The one runner that there seems to be.
const RUNNER: u8 = 1;

/// Schedules and policy alone: each decision is the real one, but every tick starts when it is due and nothing else is in
/// its way.
struct Decisions<'a> {
    jobs: Vec<Decided>,
    rules: Rules,
    scenario: &'a Scenario,
    recorder: Recorder,
    random: Random,
    start: UnixMs,
    /// How far the wall clock was set, in milliseconds.
    set_by: i64,
    /// When which job is due, by the wall clock.
    due: BinaryHeap<Reverse<(UnixMs, u32)>>,
    /// The latest instant at which something happened, by the wall clock.
    now: UnixMs,
}

struct Decided {
    spec: JobSpec,
    seed: u64,
    state: JobState,
}

/// Runs `sim` without its engine.
#[track_caller]
pub(super) fn run(sim: Simulation, scenario: &Scenario, length: Duration) -> History {
    refuse_what_needs_the_engine(&sim, scenario);
    let lanes = sim.lanes();
    let mut decisions = Decisions {
        recorder: Recorder::new(&lanes, sim.options.misfire_grace),
        rules: Rules::from(&sim.options),
        scenario,
        random: Random::new(mix(sim.seed)),
        start: sim.start,
        set_by: 0,
        due: BinaryHeap::with_capacity(sim.jobs.len()),
        now: sim.start,
        jobs: Vec::with_capacity(sim.jobs.len()),
    };
    decisions.load(sim.jobs);
    decisions.live(length);
    let Recorder { entries, texts, .. } = decisions.recorder;
    History { seed: sim.seed, start: sim.start, length, runners: 1, jobs: lanes, entries, texts, broken: Vec::new() }
}

#[track_caller]
fn refuse_what_needs_the_engine(sim: &Simulation, scenario: &Scenario) {
    let only_there = |act: &Act| !matches!(act, Act::JumpClock(_) | Act::Pause(_) | Act::Resume(_) | Act::Reset(_));
    let found = [
        (sim.runners > 1, "several runners"),
        (!sim.pollers.is_empty(), "a poller of its own"),
        (!scenario.store_down.is_empty() || !scenario.cut_off.is_empty(), "trouble with the store"),
        (scenario.spells.iter().any(|spell| spell.trouble == Trouble::Hangs), "deadlines for ticks that hang"),
        (scenario.acts.iter().any(|(_, act)| only_there(act)), "runners that stop, or runs by hand"),
    ];
    let found: Vec<&str> = found.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
    assert!(
        found.is_empty(),
        "a simulation without engine has no {}; leave `without_engine()` out",
        found.join(", no ")
    );
}

impl Decisions<'_> {
    fn load(&mut self, specs: Vec<JobSpec>) {
        self.recorder.world(self.start, RUNNER, What::RunnerStarted);
        for (number, spec) in specs.into_iter().enumerate() {
            let mut job = Decided { seed: policy::seed_of(&spec.id), spec, state: JobState::default() };
            job.state = policy::adopt(&job.rule(), &self.rules, JobState::default(), self.start);
            self.jobs.push(job);
            self.plan(number);
        }
    }

    fn live(&mut self, length: Duration) {
        let mut agenda: Vec<(Duration, Todo)> =
            self.scenario.acts.iter().map(|(at, act)| (*at, Todo::Act(act.clone()))).collect();
        for trouble in self.scenario.troubles() {
            agenda.push((trouble.when.start, Todo::Trouble(trouble.clone(), What::TroubleBegan)));
            agenda.push((trouble.when.end, Todo::Trouble(trouble, What::TroubleEnded)));
        }
        agenda.sort_by_key(|(at, _)| *at);
        for (at, todo) in agenda.into_iter().take_while(|(at, _)| *at < length) {
            self.run_until(at);
            self.now = self.wall(at);
            match todo {
                Todo::Act(act) => self.act(act),
                Todo::Trouble(trouble, what) => self.recorder.trouble(self.now, &trouble, what),
            }
        }
        self.run_until(length);
    }

    fn wall(&self, elapsed: Duration) -> UnixMs {
        UnixMs(self.start.0.saturating_add(self.set_by)).plus(elapsed)
    }

    /// Every run that is due within so much elapsed time.
    fn run_until(&mut self, elapsed: Duration) {
        let end = self.wall(elapsed);
        while let Some(Reverse((due, _))) = self.due.peek()
            && *due < end
        {
            let Some(Reverse((due, number))) = self.due.pop() else { return };
            self.now = self.now.max(due);
            self.look_at(number as usize, due);
        }
    }

    fn look_at(&mut self, number: usize, due: UnixMs) {
        let now = due.max(self.now);
        let job = &mut self.jobs[number];
        match policy::fire(&job.rule(), &self.rules, &job.state, now) {
            // Planned again since it was put here, or paused.
            Fire::Wait(_) | Fire::Never => {}
            Fire::Skip { state, skipped } => {
                job.state = *state;
                self.recorder.skipped(now, number, RUNNER, skipped);
                self.plan(number);
            }
            Fire::Run { scheduled_at, attempt } => {
                let start = Start { slot: scheduled_at, due, attempt, manual: false };
                self.recorder.started(now, number, RUNNER, &start);
                self.run(number, Run::new(scheduled_at, now, false));
                self.plan(number);
            }
        }
    }

    fn run(&mut self, number: usize, run: Run) {
        let elapsed = run.started.since(self.wall(Duration::ZERO));
        let job = &mut self.jobs[number];
        let Met { takes, error, .. } = self.scenario.met_by(&job.spec.id, elapsed);
        let message = error.as_ref().map(ToString::to_string);
        let outcome = outcome(error, job.state.cursor.as_deref());
        let (kind, asked) = kind_of(&outcome);
        let ended = run.started.plus(takes);
        let state = std::mem::take(&mut job.state);
        let random = self.random.next();
        let finished = policy::finish(&job.rule(), &self.rules, state, &run, outcome, ended, random);
        let (skipped_overlap, skipped_misfire) = (finished.skipped_overlap, finished.skipped_misfire);
        let end = Ended { outcome: kind, error: message.as_deref(), asked, skipped_overlap, skipped_misfire };
        job.state = finished.state;
        self.recorder.ended(ended, number, RUNNER, &end, &job.state);
    }

    fn plan(&mut self, number: usize) {
        let job = &self.jobs[number];
        if let Some(next) = job.state.next.filter(|_| job.state.pause.is_none()) {
            self.due.push(Reverse((next.due, u32::try_from(number).unwrap_or(u32::MAX))));
        }
    }

    fn plan_all_again(&mut self) {
        self.due.clear();
        for number in 0..self.jobs.len() {
            self.plan(number);
        }
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        match act {
            Act::JumpClock(by_ms) => {
                self.set_by = self.set_by.saturating_add(by_ms);
                self.now = UnixMs(now.0.saturating_add(by_ms));
                self.recorder.world(self.now, 0, What::ClockSet { by_ms });
                if by_ms < 0 {
                    for job in &mut self.jobs {
                        let state = std::mem::take(&mut job.state);
                        job.state = policy::edit(&job.rule(), &self.rules, state, &Change::ClockSetBack, self.now);
                    }
                    self.plan_all_again();
                }
            }
            Act::Pause(job) => {
                let pause = Pause::new(PauseCause::Operator, "an operator paused it", "operator", now);
                self.edit(&job, &Change::Pause(pause));
            }
            Act::Resume(job) => self.edit(&job, &Change::Resume),
            Act::Reset(job) => self.edit(&job, &Change::Reset),
            // Refused before the start.
            Act::Crash { .. } | Act::Restart { .. } | Act::Start { .. } | Act::RunNow(_) => {}
        }
    }

    fn edit(&mut self, id: &str, change: &Change) {
        let Some(number) = self.jobs.iter().position(|job| job.spec.id == id) else { return };
        let job = &mut self.jobs[number];
        let state = std::mem::take(&mut job.state);
        job.state = policy::edit(&job.rule(), &self.rules, state, change, self.now);
        self.recorder.changed(self.now, number, RUNNER, change, &job.state);
        self.plan_all_again();
    }
}

impl Decided {
    fn rule(&self) -> JobRule<'_> {
        JobRule::new(&self.spec.schedule, self.spec.catch_up, self.seed, 0)
    }
}

fn outcome(error: Option<PollerError>, cursor: Option<&[u8]>) -> Outcome {
    match error.map_or_else(|| counted(cursor), Err) {
        Ok(ack) => Outcome::Ok { cursor: ack.next_cursor, hint: ack.next_interval_hint },
        Err(error) => {
            Outcome::Failed { class: error.class(), message: error.to_string(), retry_after: error.retry_after() }
        }
    }
}

fn kind_of(outcome: &Outcome) -> (RunOutcome, Option<Duration>) {
    match outcome {
        Outcome::Ok { hint, .. } => (RunOutcome::Ok, *hint),
        Outcome::Failed { class, retry_after, .. } => {
            let kind = match class {
                ErrorClass::Transient => RunOutcome::Transient,
                ErrorClass::Permanent => RunOutcome::Permanent,
                ErrorClass::Config => RunOutcome::Config,
            };
            (kind, *retry_after)
        }
    }
}

/// What happens at an instant.
enum Todo {
    Act(Act),
    Trouble(Named, fn(Text) -> What),
}
