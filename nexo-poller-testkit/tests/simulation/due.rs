//! Every instant that a schedule names ends in exactly one of: a run that was done, a slot that was passed over and counted, a run
//! that is still to come. `NEXO_TEST_SEEDS=10000` asks for the long form.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nexo_poller::runner::{CatchUp, JobSpec, Schedule};
use nexo_poller::store::UnixMs;
use nexo_poller_testkit::sim::{End, Simulation, minutes};

const START: &str = "2026-05-17T10:00:00Z";

#[test]
fn each_due_time_ends_in_exactly_one_of_done_skipped_and_pending() {
    let seeds: u64 = std::env::var("NEXO_TEST_SEEDS").map_or(24, |seeds| seeds.parse().unwrap());
    let start = UnixMs::from(START.parse::<DateTime<Utc>>().unwrap());
    let (mut done_in_all, mut skipped_in_all) = (0, 0);
    for seed in 0..seeds {
        let every = Schedule::every(Duration::from_secs(60)).unwrap();
        let cron = Schedule::cron("0 */2 * * * *", None).unwrap().with_jitter(Duration::ZERO).unwrap();
        let schedule = if seed % 2 == 0 { every } else { cron };
        let catch_up = [CatchUp::Once, CatchUp::Skip, CatchUp::All][usize::try_from(seed % 3).unwrap()];
        let due = schedule.firings_after(start, 400, "inbox");
        // Half a minute after a slot, and after an hour without trouble: nothing is under way then.
        let end = *due.iter().rfind(|slot| slot.since(start) < Duration::from_secs(6 * 3600)).unwrap();
        let length = end.since(start) + Duration::from_secs(30);
        let job = JobSpec::new("inbox", "source", "ana", schedule.clone()).with_catch_up(catch_up);
        let sim = Simulation::new(seed).start_at(START).job(job).runners(1 + u8::try_from(seed % 2).unwrap());
        let sim = sim
            .slow("inbox", minutes(20)..minutes(40), Duration::from_secs(1 + seed * 37 % 55))
            .slow("inbox", minutes(40)..minutes(50), Duration::from_secs(70 + seed * 53 % 200))
            .outage(minutes(60)..minutes(60 + seed % 9))
            .restart(1, minutes(80 + seed % 7), Duration::from_secs(5 + seed * 101 % 1500))
            .store_down(minutes(115)..minutes(116 + seed % 5));
        let sim = if seed % 2 == 1 { sim.restart(2, minutes(82), Duration::from_secs(seed * 67 % 900)) } else { sim };
        let history = sim.run_for(length);
        history.assert_sound();
        let due: BTreeSet<_> = due.into_iter().filter(|slot| *slot <= end).collect();
        let slots: Vec<_> =
            history.firings("inbox").filter(|tick| tick.run.end == End::Ok).map(|tick| tick.run.slot).collect();
        let done: BTreeSet<_> = slots.iter().copied().collect();
        let skipped = usize::try_from(history.skipped("inbox")).unwrap();
        assert_eq!(done.len(), slots.len(), "seed {seed}: a slot was done twice\n{history}");
        assert!(done.is_subset(&due), "seed {seed}: what was done had been due\n{history}");
        assert_eq!(
            done.len() + skipped,
            due.len(),
            "seed {seed}, {catch_up:?}: done and skipped are what was due\n{history}"
        );
        (done_in_all, skipped_in_all) = (done_in_all + done.len(), skipped_in_all + skipped);
    }
    println!(
        "figure testkit.due_times value={} unit=due-times limit=0 ratio=0 note={done_in_all}-done-{skipped_in_all}-skipped-0-lost",
        done_in_all + skipped_in_all
    );
}
