//! The runner under virtual time: what the simulation shows is what the runner does, and it finds what is broken.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller::runner::{CatchUp, JobSpec, KindLimits, Schedule};
use nexo_poller::store::{MemoryStore, StateStore, StoreError, UnixMs};
use nexo_poller::unstable::{Answers, Batch, ClaimAnswer, NewJob, StoredJob};
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::sim::{Cause, End, Simulation, SkipReason, What, days, hours, minutes};

fn every(secs: u64) -> Schedule {
    Schedule::every(Duration::from_secs(secs)).unwrap()
}

fn job(id: &str, schedule: Schedule) -> JobSpec {
    JobSpec::new(id, "source", "ana", schedule)
}

fn nightly(zone: &str) -> JobSpec {
    job("nightly", Schedule::cron("0 30 2 * * *", Some(zone)).unwrap())
}

#[test]
fn thirty_days_of_a_five_minute_job_are_every_slot_once() {
    let history = Simulation::new(1).job(job("inbox", every(300))).run_for(days(30));
    assert_eq!(history.ended("inbox", End::Ok), 8640);
    assert_eq!((history.skipped("inbox"), history.caused("inbox", Cause::OnTime)), (0, 8640));
    let slots: Vec<_> = history.firings("inbox").map(|firing| firing.run.slot).collect();
    assert!(slots.windows(2).all(|pair| pair[1].since(pair[0]) == Duration::from_secs(300)));
    history.assert_sound();
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_one_another() {
    let history = |seed| {
        let sim = Simulation::new(seed).job(job("inbox", every(60))).job(nightly("Europe/Berlin"));
        sim.runners(3).random_faults(12).run_for(hours(12))
    };
    for seed in [3, 19, 20] {
        assert_eq!(history(seed), history(seed));
    }
    assert_ne!(history(3).entries(), history(4).entries());
}

#[test]
fn a_nightly_job_moves_to_the_end_of_the_gap_and_runs_once_in_the_fold() {
    let spring = Simulation::new(1).start_at("2026-03-28T00:00:00Z").job(nightly("Europe/Berlin")).run_for(days(3));
    assert_eq!(
        spring.local_slots("nightly"),
        ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"],
        "{spring}"
    );
    let autumn = Simulation::new(1).start_at("2026-10-24T00:00:00Z").job(nightly("Europe/Berlin")).run_for(days(3));
    assert_eq!(
        autumn.local_slots("nightly"),
        ["2026-10-24 02:30:00 +02:00", "2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"],
        "{autumn}"
    );
}

#[test]
fn an_outage_is_retried_probed_and_made_up_for_once() {
    let history = Simulation::new(5).job(job("inbox", every(300))).outage(hours(1)..hours(2)).run_for(hours(4));
    assert!(history.ended("inbox", End::Transient) > 5, "{history}");
    let last_failure = history.firings("inbox").filter(|firing| firing.run.end == End::Transient).last().unwrap();
    let recovery = history.firings("inbox").find(|firing| firing.started > last_failure.started).unwrap();
    assert_eq!((recovery.run.end, recovery.run.cause), (End::Ok, Cause::Retry), "{history}");
    assert_eq!(recovery.run.slot, last_failure.run.slot, "the run that failed is the one that is repeated");
    assert!(history.skipped("inbox") >= 10, "the slots of that hour are not replayed: {history}");
    assert_eq!(history.text(last_failure.run.message), "the source is down");
}

#[test]
fn a_source_that_says_when_to_come_back_is_not_asked_before() {
    let wait = Duration::from_secs(1800);
    let sim = Simulation::new(2).job(job("inbox", every(300)));
    let history = sim.rate_limit(minutes(60)..minutes(70), wait).run_for(hours(3));
    let starts: Vec<_> = history.firings("inbox").collect();
    let limited = starts.iter().position(|firing| firing.run.end == End::Transient).unwrap();
    let pause = starts[limited + 1].started.since(starts[limited].started);
    assert!(pause >= wait && pause <= wait * 11 / 10, "{pause:?}\n{history}");
}

#[test]
fn a_source_that_is_gone_pauses_its_job_until_an_operator_resumes_it() {
    let sim = Simulation::new(1).job(job("inbox", every(300))).job(job("other", every(300)));
    let sim = sim.gone("inbox", hours(1)..hours(2), "the project is gone").resume("inbox", hours(3));
    let history = sim.run_for(hours(4));
    let pauses: Vec<_> = history
        .of("inbox")
        .filter_map(|entry| match entry.what {
            What::Paused { reason, .. } => Some(history.text(reason)),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, ["the project is gone"]);
    let of_four_hours = history.ended("inbox", End::Ok);
    assert!((23..=25).contains(&of_four_hours), "it stood still for two of four hours: {history}");
    assert_eq!(history.ended("other", End::Ok), 48, "{history}");
}

#[test]
fn what_was_missed_while_the_runner_was_away_is_made_up_for_as_the_job_says() {
    let history = |catch_up| {
        let spec = job("inbox", every(300)).with_catch_up(catch_up);
        Simulation::new(1).job(spec).restart(1, hours(1), hours(1)).run_for(hours(3))
    };
    for (catch_up, runs, catch_ups, skipped) in
        [(CatchUp::Once, 25, 1, 11), (CatchUp::Skip, 24, 0, 12), (CatchUp::All, 36, 12, 0)]
    {
        let history = history(catch_up);
        let found = (
            history.ended("inbox", End::Ok),
            history.caused("inbox", Cause::CatchUp),
            history.skipped("inbox") as usize,
        );
        assert_eq!(found, (runs, catch_ups, skipped), "{catch_up:?}\n{history}");
    }
}

#[test]
fn a_tick_that_outlives_its_interval_skips_the_slots_that_it_covers() {
    let sim = Simulation::new(1).job(job("inbox", every(10)));
    let history = sim.slow("inbox", minutes(1)..minutes(2), Duration::from_secs(35)).run_for(minutes(5));
    let overlaps: u32 = history
        .of("inbox")
        .filter_map(|entry| match entry.what {
            What::Skipped { count, why: SkipReason::Overlap } => Some(count),
            _ => None,
        })
        .sum();
    assert!(overlaps >= 5, "{history}");
    history.assert_sound();
}

#[test]
fn a_tick_that_hangs_is_abandoned_after_its_deadline_and_the_job_goes_on() {
    let sim = Simulation::new(1).job(job("inbox", every(600))).hangs("inbox", minutes(0)..minutes(20));
    let history = sim.run_for(hours(2));
    let first = history.firings("inbox").next().unwrap();
    assert_eq!(first.run.end, End::Transient, "{history}");
    assert!(history.text(first.run.message).contains("was abandoned"), "{history}");
    assert_eq!(first.run.took_ms / 1000, 65, "a minute until `cancel`, five seconds of grace: {history}");
    assert!(history.ended("inbox", End::Ok) >= 9, "{history}");
    history.assert_sound();
}

#[test]
fn a_tick_in_flight_dies_with_its_runner_and_is_repeated_by_the_next_one() {
    let sim = Simulation::new(1).job(job("inbox", every(600))).slow("inbox", hours(0)..hours(9), minutes(1) / 2);
    let first = Simulation::new(1).job(job("inbox", every(600))).run_for(hours(1)).firings("inbox").next().unwrap();
    let began = first.started.since(UnixMs::from("2026-01-05T12:00:00Z".parse::<DateTime<Utc>>().unwrap()));
    let history = sim.runners(2).crash(1, began + Duration::from_secs(10), hours(2)).run_for(hours(1));
    let runs: Vec<_> = history.firings("inbox").take(2).collect();
    assert_eq!((runs[0].runner, runs[0].run.end), (1, End::Died), "{history}");
    assert_eq!((runs[1].runner, runs[1].run.end, runs[1].run.slot), (2, End::Ok, runs[0].run.slot), "{history}");
    let waited = runs[1].started.since(runs[0].started);
    assert!(waited <= minutes(5) + Duration::from_secs(1), "the lease of the dead held for {waited:?}");
    assert!(history.of("inbox").any(|entry| entry.what == What::TookOver), "{history}");
}

#[test]
fn the_engine_and_the_bare_decisions_make_the_same_runs_of_the_same_trouble() {
    let sim = |with_engine: bool| {
        let cron = Schedule::cron("0 */20 * * * *", Some("America/New_York")).unwrap();
        let sim = Simulation::new(9).start_at("2026-03-07T12:00:00Z");
        let sim =
            sim.job(job("inbox", every(300))).job(job("cron", cron)).pause("cron", hours(30)).resume("cron", hours(31));
        let sim = sim.gone("inbox", hours(40)..hours(41), "gone");
        if with_engine { sim.run_for(days(3)) } else { sim.without_engine().run_for(days(3)) }
    };
    let (whole, bare) = (sim(true), sim(false));
    for id in ["inbox", "cron"] {
        let slots = |history: &nexo_poller_testkit::sim::History| -> Vec<_> {
            history.firings(id).map(|firing| (firing.run.slot, firing.run.end)).collect()
        };
        assert_eq!(slots(&whole), slots(&bare), "{id}");
    }
}

#[test]
fn a_real_poller_runs_in_the_simulation_against_the_mocked_host() {
    /// Says when it looked.
    struct Greeter;

    #[async_trait]
    impl Poller for Greeter {
        fn kind(&self) -> &'static str {
            "source"
        }

        async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
            ctx.publish("plugin.outbound.console.console", &json!({"to": "me", "text": ctx.now.to_rfc3339()})).await?;
            TickAck::with_cursor(&ctx.now)
        }
    }

    let host = MockPollerHost::new();
    let sim = Simulation::new(1).host(&host).poller_within(Greeter, KindLimits::default());
    let history = sim.job(job("inbox", every(3600))).crash(1, hours(5), hours(1)).run_for(days(1));
    assert_eq!(host.published().len(), history.ended("inbox", End::Ok), "{history}");
    assert!(host.published().len() >= 22);
}

/// A store that has lost the rows of its jobs.
struct Forgetful(MemoryStore);

#[async_trait]
impl StateStore for Forgetful {
    async fn open_jobs(&self, jobs: Vec<NewJob>) -> Result<Vec<StoredJob>, StoreError> {
        self.0.open_jobs(jobs).await
    }

    async fn write(&self, mut batch: Batch) -> Result<Answers, StoreError> {
        let claims = std::mem::take(&mut batch.claims);
        let mut answers = self.0.write(batch).await?;
        answers.claims = claims.iter().map(|_| ClaimAnswer::Missing).collect();
        Ok(answers)
    }

    fn now(&self) -> UnixMs {
        self.0.now()
    }
}

#[test]
fn a_job_that_stops_in_silence_is_noticed() {
    let sim = Simulation::new(1).job(job("inbox", every(60))).store(|store| Arc::new(Forgetful(store)));
    let history = sim.run_for(hours(1));
    assert_eq!(history.firings("inbox").count(), 0);
    let rules: Vec<_> = history.broken().iter().map(|broken| broken.rule.as_str()).collect();
    assert!(rules.len() == 1 && rules[0].starts_with("no job stops in silence"), "{rules:?}");
    // In a world with trouble a job may well be late.
    let sim = Simulation::new(1).job(job("inbox", every(60))).store_down(minutes(1)..hours(1));
    sim.run_for(hours(1)).assert_sound();
}

#[test]
fn a_simulation_runs_inside_a_runtime_too_and_says_what_it_cannot_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let history = Simulation::new(1).job(job("inbox", every(60))).run_for(hours(1));
        assert_eq!(history.ended("inbox", End::Ok), 60);
    });
    let refused = std::panic::catch_unwind(|| Simulation::new(1).runners(2).without_engine().run_for(hours(1)));
    let text = refused.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert_eq!(text, "a simulation without engine has no several runners; leave `without_engine()` out");
}
