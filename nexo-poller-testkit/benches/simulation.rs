//! What simulated time costs, each figure beside its limit from the same run.
//!
//! `cargo bench -p nexo-poller-testkit --bench simulation`, or with the name of one figure after `--` (`jobs`, `engine`,
//! `seeds`).
//!
//! The limit of the first figure is the same firings without us: a binary heap of timers that are popped and pushed again.
//! The figures of the engine are held against the decisions alone.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints, and ends where something fails")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use nexo_poller::runner::{JobSpec, Schedule};
use nexo_poller_testkit::sim::{End, Simulation, days, hours};

/// A job runs this often, in seconds.
const EVERY: u64 = 300;

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let figures: [(&str, fn()); 3] = [("jobs", thousand_jobs), ("engine", whole_engine), ("seeds", seeds)];
    for (name, measure) in figures {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            measure();
        }
    }
}

/// Thirty days of a thousand jobs that run every five minutes: 8.64 million firings.
fn thousand_jobs() {
    let (firings, limit) = timers(1000, days(30));
    let (count, took) = timed(|| {
        let history = Simulation::new(1).jobs(jobs(1000)).without_engine().run_for(days(30));
        history.entries().len() - 1
    });
    assert_eq!(count, firings, "the simulation fires as often as the timers");
    figure("simulation_30d_1000_jobs_s", took, "s", limit, "decisions-only-limit-is-a-heap-of-timers");
    figure("simulated_firings_per_s", count as f64 / took, "1/s", firings as f64 / limit, "decisions-only");
}

/// The whole engine: one job for thirty days, and a thousand for one.
fn whole_engine() {
    let (_, limit) = timed(|| Simulation::new(1).jobs(jobs(1)).without_engine().run_for(days(30)).entries().len());
    let (runs, took) = timed(|| Simulation::new(1).jobs(jobs(1)).run_for(days(30)).ended("job_0", End::Ok));
    assert_eq!(runs, 8640);
    figure("simulation_30d_1_job_engine_s", took, "s", limit, "limit-is-decisions-only");
    let (_, limit) = timed(|| Simulation::new(1).jobs(jobs(1000)).without_engine().run_for(days(1)).entries().len());
    let (_, took) = timed(|| Simulation::new(1).jobs(jobs(1000)).run_for(days(1)).entries().len());
    figure("simulation_1d_1000_jobs_engine_s", took, "s", limit, "limit-is-decisions-only");
}

/// Two runners on one store, six hours, ten random faults: how many seeds a second.
fn seeds() {
    const SEEDS: u64 = 200;
    let sim = |sim: Simulation| sim.jobs(jobs(2)).runners(2).random_faults(10).run_for(hours(6));
    let ((), took) = timed(|| Simulation::for_seeds(0..SEEDS, sim));
    let ((), quiet) = timed(|| {
        Simulation::for_seeds(0..SEEDS, |sim| sim.jobs(jobs(2)).runners(2).run_for(hours(6)));
    });
    let note = "6-h-2-runners-10-faults-limit-is-without-faults";
    figure("simulated_seeds_per_s", SEEDS as f64 / took, "1/s", SEEDS as f64 / quiet, note);
}

fn jobs(count: usize) -> impl Iterator<Item = JobSpec> {
    let schedule = Schedule::every(Duration::from_secs(EVERY)).expect("five minutes are an interval");
    (0..count).map(move |number| JobSpec::new(format!("job_{number}"), "noop", "ana", schedule.clone()))
}

/// The same firings with nothing around them: how many, and how long they take.
fn timers(count: u64, length: Duration) -> (usize, f64) {
    timed(|| {
        let end = length.as_millis();
        let mut heap: BinaryHeap<_> =
            (0..count).map(|number| Reverse((u128::from(number * EVERY * 1000 / count + 1), number))).collect();
        let mut fired = 0;
        while let Some(Reverse((due, number))) = heap.pop() {
            if due >= end {
                break;
            }
            fired += 1;
            heap.push(Reverse((due + u128::from(EVERY * 1000), black_box(number))));
        }
        fired
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed().as_secs_f64())
}

fn figure(name: &str, value: f64, unit: &str, limit: f64, note: &str) {
    println!(
        "figure testkit.{name} value={value:.3} unit={unit} limit={limit:.3} ratio={:.2} note={note}",
        value / limit
    );
}
