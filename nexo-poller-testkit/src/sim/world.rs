use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexo_poller::contract::Poller;
use nexo_poller::runner::{KindLimits, Observer, PollerRegistry, PollerRunner};
use nexo_poller::store::{Clock, MemoryStore, StateStore};
use tokio::time::Instant;

use super::clock::SimClock;
use super::history::{History, What};
use super::ledger::{Ledger, LedgerStore};
use super::process::{Line, Process};
use super::random::{Random, mix};
use super::recorder::Recorder;
use super::scenario::{Act, Named, Scenario};
use super::simulation::Simulation;
use super::source::{Hosts, SimulatedPoller, lasting};
use super::stalled::AtTheEnd;

/// A runner that is stopped in order lets its ticks end for this long.
const GRACE: Duration = Duration::from_secs(5);
/// A runner whose store is down at its start tries again after this.
const START_AGAIN: Duration = Duration::from_secs(1);

/// The simulated machines, with their one store and one clock.
struct World {
    sim: Simulation,
    scenario: Arc<Scenario>,
    clock: Arc<SimClock>,
    store: Arc<dyn StateStore>,
    ledger: Ledger,
    recorder: Arc<Mutex<Recorder>>,
    began: Instant,
    /// By runner: how often it was started, and its present life.
    lives: Vec<(usize, Option<Life>)>,
}

/// One life of a runner.
#[derive(Clone)]
struct Life {
    process: Process,
    runner: PollerRunner,
}

/// Runs `sim` through the whole engine.
pub(super) fn run(sim: Simulation, scenario: Scenario, length: Duration) -> History {
    // A thread of its own, because the test may be inside a runtime already.
    let thread = std::thread::scope(|scope| scope.spawn(|| run_here(sim, scenario, length)).join());
    thread.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn run_here(sim: Simulation, scenario: Scenario, length: Duration) -> History {
    let built = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = built.unwrap_or_else(|error| panic!("no runtime for the simulation: {error}"));
    let history = runtime.block_on(async {
        let mut world = World::new(sim, scenario);
        world.live(length).await;
        world.close(length)
    });
    // Ticks that never end must not hold the test up.
    runtime.shutdown_background();
    history
}

impl World {
    fn new(mut sim: Simulation, scenario: Scenario) -> Self {
        let clock = Arc::new(SimClock::at(sim.start));
        let memory = MemoryStore::with_clock(Arc::clone(&clock));
        let made = std::mem::replace(&mut sim.store, Box::new(|store| Arc::new(store)))(memory);
        let ledger = Ledger::new();
        let store = Arc::new(LedgerStore { store: made, ledger: ledger.clone() });
        let recorder = Recorder::new(&sim.lanes(), sim.options.misfire_grace);
        let lives = vec![(0, None); usize::from(sim.runners)];
        let (scenario, recorder) = (Arc::new(scenario), Arc::new(Mutex::new(recorder)));
        Self { sim, scenario, clock, store, ledger, recorder, began: Instant::now(), lives }
    }

    async fn live(&mut self, length: Duration) {
        for runner in 0..self.lives.len() {
            self.start(runner);
        }
        let mut agenda: Vec<(Duration, Todo)> = Vec::new();
        for (at, act) in &self.scenario.acts {
            agenda.push((*at, Todo::Act(act.clone())));
            // The process is there again after its time down.
            if let Act::Crash { runner, down } | Act::Restart { runner, down } = act {
                agenda.push((*at + *down, Todo::Act(Act::Start { runner: *runner })));
            }
        }
        for trouble in self.scenario.troubles() {
            agenda.push((trouble.when.start, Todo::Begins(trouble.clone())));
            agenda.push((trouble.when.end, Todo::Ends(trouble)));
        }
        agenda.sort_by_key(|(at, _)| *at);
        for (at, todo) in agenda.into_iter().take_while(|(at, _)| *at < length) {
            tokio::time::sleep_until(self.began + at).await;
            match todo {
                Todo::Act(act) => self.act(act),
                Todo::Begins(trouble) => self.recorder().trouble(self.clock.now(), &trouble, What::TroubleBegan),
                Todo::Ends(trouble) => self.recorder().trouble(self.clock.now(), &trouble, What::TroubleEnded),
            }
        }
        tokio::time::sleep_until(self.began + length).await;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::JumpClock(by_ms) => {
                self.clock.jump(by_ms);
                if by_ms > 0 {
                    self.ledger.leases_end();
                }
                self.recorder().world(self.clock.now(), 0, What::ClockSet { by_ms });
            }
            Act::Crash { runner, .. } => self.crash(runner),
            Act::Restart { runner, .. } => self.stop(runner),
            Act::Start { runner } => {
                if let Some(index) = self.index_of(runner).filter(|index| self.lives[*index].1.is_none()) {
                    self.start(index);
                }
            }
            Act::Pause(job) => self.operate(async move |runner| {
                drop(runner.pause(&job, "an operator paused it", "operator").await);
            }),
            Act::Resume(job) => self.operate(async move |runner| drop(runner.resume(&job).await)),
            Act::Reset(job) => self.operate(async move |runner| drop(runner.reset(&job).await)),
            Act::RunNow(job) => self.operate(async move |runner| drop(runner.run_now(&job).await)),
        }
    }

    /// What an operator does, at the first runner that is up; what comes of it is in the history.
    fn operate<F>(&self, work: impl FnOnce(PollerRunner) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some(life) = self.lives.iter().find_map(|(_, life)| life.clone()) {
            tokio::spawn(work(life.runner));
        }
    }

    fn start(&mut self, index: usize) {
        let life_number = self.lives[index].0 + 1;
        let process = Process::new(u8::try_from(index + 1).unwrap_or(u8::MAX), life_number);
        let runner = self.runner(&process, life_number);
        self.recorder().world(self.clock.now(), process.runner, What::RunnerStarted);
        let (jobs, booting) = (self.sim.jobs.clone(), runner.clone());
        let boot = process.clone();
        tokio::spawn(async move {
            while boot.alive(booting.apply(jobs.clone())).await.is_err() && !boot.is_dead() {
                tokio::time::sleep(START_AGAIN).await;
            }
        });
        self.lives[index] = (life_number, Some(Life { process, runner }));
    }

    fn runner(&self, process: &Process, life: usize) -> PollerRunner {
        let random = mix(self.sim.seed ^ mix((u64::from(process.runner) << 32) | life as u64));
        let store = Line {
            store: Arc::clone(&self.store),
            process: process.clone(),
            scenario: Arc::clone(&self.scenario),
            began: self.began,
            latency: self.sim.latency,
            random: Mutex::new(Random::new(random)),
        };
        let (recorder, observed) = (Arc::clone(&self.recorder), process.clone());
        let observer = Observer::new(move |event| {
            if !observed.is_dead() {
                recorder.lock().unwrap_or_else(PoisonError::into_inner).observe(observed.runner, event);
            }
        });
        let mut options = self.sim.options.clone();
        options.owner.clone_from(&process.owner);
        (options.seed, options.observer) = (mix(random), Some(observer));
        let hosts = Hosts(self.sim.host.clone());
        PollerRunner::builder(store, self.registry(process), hosts)
            .options(options)
            .clock(Arc::clone(&self.clock))
            .start()
    }

    fn registry(&self, process: &Process) -> PollerRegistry {
        let registry = PollerRegistry::new();
        let register = |kind: &'static str, poller: Option<Arc<dyn Poller>>, limits| {
            let poller = SimulatedPoller {
                kind,
                poller,
                process: process.clone(),
                scenario: Arc::clone(&self.scenario),
                ledger: self.ledger.clone(),
                clock: Arc::clone(&self.clock),
                began: self.began,
            };
            // Of two pollers of one kind, the first counts.
            drop(registry.register(Arc::new(poller), limits));
        };
        for (poller, limits) in &self.sim.pollers {
            register(poller.kind(), Some(Arc::clone(poller)), *limits);
        }
        for job in &self.sim.jobs {
            if registry.get(&job.kind).is_none() {
                let limits = KindLimits::new(usize::MAX, KindLimits::default().tick_timeout);
                register(lasting(&job.kind), None, limits);
            }
        }
        registry
    }

    fn crash(&mut self, runner: usize) {
        let Some(life) = self.index_of(runner).and_then(|index| self.lives[index].1.take()) else { return };
        life.process.dead.cancel();
        self.ledger.forget(&life.process.owner);
        self.recorder().crashed(self.clock.now(), life.process.runner);
    }

    fn stop(&mut self, runner: usize) {
        let Some(life) = self.index_of(runner).and_then(|index| self.lives[index].1.take()) else { return };
        self.recorder().world(self.clock.now(), life.process.runner, What::RunnerStopped);
        tokio::spawn(async move {
            life.runner.shutdown(GRACE).await;
            life.process.dead.cancel();
        });
    }

    fn index_of(&self, runner: usize) -> Option<usize> {
        runner.checked_sub(1).filter(|index| *index < self.lives.len())
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(self, length: Duration) -> History {
        let (mut broken, states) = self.ledger.close();
        let mut recorder = self.recorder();
        let (entries, texts) = (std::mem::take(&mut recorder.entries), std::mem::take(&mut recorder.texts));
        let end = AtTheEnd {
            jobs: &self.sim.jobs,
            states: &states,
            entries: &entries,
            start: self.sim.start,
            length,
            now: self.clock.now(),
        };
        broken.extend(end.overdue());
        if self.sim.pollers.is_empty() {
            broken.extend(end.put_off());
        }
        History {
            seed: self.sim.seed,
            start: self.sim.start,
            length,
            runners: self.lives.len(),
            jobs: self.sim.lanes(),
            entries,
            texts,
            broken,
        }
    }
}

/// What the world does at an instant.
enum Todo {
    Act(Act),
    Begins(Named),
    Ends(Named),
}
