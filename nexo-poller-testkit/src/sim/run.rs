use std::ops::Range;
use std::time::Duration;

use nexo_poller::runner::JobSpec;

use super::history::History;
use super::moment::Moment;
use super::random::Random;
use super::scenario::{Scenario, Spell};
use super::simulation::{Asked, Simulation};
use super::{decisions, world};

impl Simulation {
    /// Runs it for so long, in elapsed time.
    ///
    /// # Panics
    /// Where a job is refused (the message says why), where a poller panics outside its tick, and, without engine, where
    /// the simulation has something in it that only the engine has.
    #[track_caller]
    pub fn run_for(mut self, length: Duration) -> History {
        if let Err(error) = self.jobs.iter().try_for_each(JobSpec::check) {
            panic!("{error}");
        }
        let scenario = self.scenario(length);
        if self.with_engine { world::run(self, scenario, length) } else { decisions::run(self, &scenario, length) }
    }

    /// What was asked for, in elapsed time.
    fn scenario(&mut self, length: Duration) -> Scenario {
        let start = self.start;
        let elapsed = |when: Range<Moment>| when.start.after(start)..when.end.after(start);
        let mut scenario = Scenario::default();
        for asked in std::mem::take(&mut self.asked) {
            match asked {
                Asked::Spell { job, when, trouble } => {
                    scenario.spells.push(Spell { job, when: elapsed(when), trouble });
                }
                Asked::Act { at, act } => scenario.acts.push((at.after(start), act)),
                Asked::StoreDown(when) => scenario.store_down.push(elapsed(when)),
                Asked::CutOff { runner, when } => scenario.cut_off.push((usize::from(runner), elapsed(when))),
            }
        }
        if self.random_faults > 0 {
            self.latency = self.latency.max(Duration::from_millis(40));
            let mut random = Random::new(self.seed);
            for _ in 0..self.random_faults {
                scenario.add_random_fault(&mut random, usize::from(self.runners), length);
            }
        }
        scenario.sort();
        scenario
    }
}
