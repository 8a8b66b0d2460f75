//! Many worlds in which much goes wrong: the runner keeps its rules in each, and a rule that is broken is found.
//! `NEXO_TEST_SEEDS=10000` asks for the long form.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::time::Duration;

use nexo_poller::runner::{CatchUp, JobSpec, Schedule};
use nexo_poller::store::UnixMs;
use nexo_poller_testkit::sim::{Simulation, hours};

use crate::unfenced;

fn every(secs: u64) -> Schedule {
    Schedule::every(Duration::from_secs(secs)).unwrap()
}

fn job(id: &str, schedule: Schedule) -> JobSpec {
    JobSpec::new(id, "source", "ana", schedule)
}

fn seeds(usual: u64) -> u64 {
    std::env::var("NEXO_TEST_SEEDS").map_or(usual, |seeds| seeds.parse().unwrap())
}

/// Two runners and a job whose ticks take a while, in a world where everything goes wrong now and then.
fn rough(sim: Simulation) -> Simulation {
    let sim = sim.job(job("inbox", every(60))).slow("inbox", hours(0)..hours(6), Duration::from_secs(7));
    sim.runners(2).random_faults(10)
}

#[test]
fn whatever_goes_wrong_no_rule_of_the_runner_is_broken() {
    let seeds = seeds(60);
    Simulation::for_seeds(0..seeds, |sim| rough(sim).run_for(hours(6)));
    println!("figure testkit.simulated_seeds value={seeds} unit=seeds limit=0 ratio=0 note=0-broken-rules");
}

#[test]
fn a_broken_fence_is_found_within_a_thousand_seeds_and_the_seed_is_named() {
    let failed = std::panic::catch_unwind(|| {
        Simulation::for_seeds(0..1000, |sim| rough(sim).store(unfenced::store).run_for(hours(6)));
    });
    let panic = failed.expect_err("the simulation does not notice that the fence is gone");
    let text = panic.downcast_ref::<String>().unwrap();
    let seed: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("found by seed {seed}");
    assert!(text.contains(&format!("NEXO_SIM_SEED={seed} runs it alone")), "{text}");
    assert!(text.contains("broken by job `inbox`") && text.contains("a commit never overwrites a cursor"), "{text}");
    assert!(text.contains("simulation, seed"), "the timeline around it is shown: {text}");
    // With the fence whole again, the very same world is sound.
    rough(Simulation::new(seed)).run_for(hours(6)).assert_sound();
}

/// Every kind of schedule and catch-up, around a clock change, with one to four runners and an operator.
fn everything(sim: Simulation) -> Simulation {
    let turn = sim.seed();
    let of_three = usize::try_from(turn % 3).unwrap();
    let catch_up = [CatchUp::Once, CatchUp::Skip, CatchUp::All][of_three];
    let (zone, start) = [
        ("Europe/Berlin", "2026-03-28T20:00:00Z"),
        ("America/New_York", "2026-03-08T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T10:00:00Z"),
    ][of_three];
    let cron = |expression| Schedule::cron(expression, Some(zone)).unwrap();
    let once = UnixMs(UnixMs::from(start.parse::<chrono::DateTime<chrono::Utc>>().unwrap()).0 + 7_200_000);
    let schedules = [
        ("often", every(20 + turn % 200)),
        ("night", cron("0 */15 1-3 * * *")),
        ("minutely", cron("* * * * *")),
        ("once", Schedule::at(once)),
    ];
    let jobs = schedules.map(|(id, schedule)| job(id, schedule).with_catch_up(catch_up));
    sim.start_at(start)
        .jobs(jobs)
        .slow("often", hours(0)..hours(12), Duration::from_secs(turn % 30))
        .slow("minutely", hours(0)..hours(12), Duration::from_secs(turn % 7))
        .pause("often", hours(3))
        .resume("often", hours(4))
        .reset("minutely", hours(5))
        .run_now("often", hours(6))
        .run_now("night", hours(7))
        .runners(1 + u8::try_from(turn % 4).unwrap())
        .random_faults(12)
}

#[test]
fn jobs_of_every_kind_keep_the_rules_around_clock_changes_and_operators() {
    let seeds = seeds(12);
    Simulation::for_seeds(0..seeds, |sim| everything(sim).run_for(hours(12)));
    println!(
        "figure testkit.simulated_seeds_of_every_kind value={seeds} unit=seeds limit=0 ratio=0 note=0-broken-rules"
    );
}

#[test]
fn a_run_by_hand_after_the_clock_was_set_back_takes_no_key_of_a_slot_to_come() {
    // Found by this seed, once.
    everything(Simulation::new(103)).run_for(hours(12)).assert_sound();
}
