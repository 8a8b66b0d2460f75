use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::history::History;
use super::simulation::Simulation;

/// Set to a number, it stands for all seeds of every [`Simulation::for_seeds`].
const ONE_SEED: &str = "NEXO_SIM_SEED";

impl Simulation {
    /// Runs `test` once for each seed, and holds each history to the runner's rules; see [`History::assert_sound`].
    ///
    /// The seed that fails is printed. With `NEXO_SIM_SEED=17` in the environment only that one is run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nexo_poller::runner::{JobSpec, Schedule};
    /// use nexo_poller_testkit::sim::{Simulation, hours};
    ///
    /// let every_minute = Schedule::every(Duration::from_secs(60))?;
    /// Simulation::for_seeds(0..20, |sim| {
    ///     let job = JobSpec::new("inbox", "mail", "ana", every_minute.clone());
    ///     sim.job(job).runners(2).random_faults(5).run_for(hours(6))
    /// });
    /// # Ok::<(), nexo_poller::runner::ScheduleError>(())
    /// ```
    ///
    /// # Panics
    /// Where `test` panics, or a history breaks a rule, at the first such seed.
    pub fn for_seeds(seeds: impl IntoIterator<Item = u64>, test: impl Fn(Self) -> History) {
        let only = std::env::var(ONE_SEED).ok().and_then(|seed| seed.parse().ok());
        let seeds: Vec<u64> = only.map_or_else(|| seeds.into_iter().collect(), |seed| vec![seed]);
        for seed in seeds {
            let run = || test(Self::new(seed)).assert_sound();
            let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { continue };
            match words(panic.as_ref()) {
                Some(words) => panic!("\nseed {seed} fails; {ONE_SEED}={seed} runs it alone\n{}\n", words.trim()),
                None => resume_unwind(panic),
            }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}
