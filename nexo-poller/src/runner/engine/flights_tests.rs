use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::flight::{Landed, Stop, TickStart};
use super::flights::{Flights, Landing};
use super::index::{FlightKey, JobIndex, KindIndex};
use super::pending::{Asked, PendingRenewal};
use super::tick::TickTask;
use crate::store::UnixMs;
use crate::tick::TickGate;

const GRACE: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(20);
const TTL: Duration = Duration::from_secs(40);

fn start(job: usize, now: Instant) -> TickStart {
    TickStart {
        job: JobIndex::of(job).unwrap(),
        kind: KindIndex::default(),
        epoch: 1,
        scheduled_at: UnixMs(0),
        started: UnixMs(0),
        started_at: now,
        leased_at: now,
        timeout: TIMEOUT,
        ttl: TTL,
    }
}

/// Starts a tick that does not end by itself; with the token that asks it to.
fn launch(flights: &mut Flights, start: TickStart) -> (FlightKey, CancellationToken) {
    let token = CancellationToken::new();
    let key = flights.launch(start, None, |_, _| {
        TickTask::of(TickGate::new(token.clone()), tokio::spawn(std::future::pending::<()>()).abort_handle())
    });
    (key, token)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[tokio::test]
async fn an_overdue_tick_is_cancelled_then_abandoned_and_its_job_is_free_when_its_task_is_gone() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let (key, cancel) = launch(&mut flights, start(0, now));
    let job = JobIndex::of(0).unwrap();
    flights.attend(now + TIMEOUT - secs(1));
    assert!(!cancel.is_cancelled());
    assert!(flights.attend(now + TIMEOUT).abandoned.is_empty());
    assert!(cancel.is_cancelled());
    let abandoned = flights.attend(now + TIMEOUT + GRACE).abandoned;
    assert!(matches!(abandoned[0].stop, Stop::Deadline { .. }), "its outcome says why");
    assert!(flights.has_abandoned(job) && !flights.any_aloft());
    assert_eq!(flights.len(), 1, "its task counts until it is gone");
    assert!(matches!(flights.land(key), Some(Landing::Gone { start, keeps_lease: false }) if start.job == job));
    assert!(!flights.has_abandoned(job));
    assert_eq!(flights.len(), 0);
}

#[tokio::test]
async fn a_lease_is_renewed_at_each_quarter_and_counts_from_when_it_was_asked_for() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let long = TickStart { timeout: secs(3600), ..start(0, now) };
    let (key, cancel) = launch(&mut flights, long);
    let renewals: Vec<_> = (10..=20).flat_map(|at| flights.attend(now + secs(at)).renewals).collect();
    assert_eq!(renewals.len(), 2, "at 10 and at 20 s");
    let asked = Some(Asked { elapsed: now + secs(20), wall: UnixMs(0) });
    assert!(flights.renewed(&PendingRenewal { asked, ..renewals[1] }, now + secs(29)));
    flights.attend(now + secs(47));
    assert!(!cancel.is_cancelled(), "it has 28 s from when the last renewal was asked for");
    flights.attend(now + secs(48));
    assert!(cancel.is_cancelled());
    assert!(matches!(flights.land(key), Some(Landing::Ended(Landed { stop: Stop::Void { .. }, .. }))));
}

#[tokio::test]
async fn an_answer_about_an_earlier_tick_of_that_number_does_not_touch_the_present_one() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let (first, _) = launch(&mut flights, start(0, now));
    let renewal = flights.attend(now + secs(10)).renewals[0];
    flights.land(first);
    let (second, cancel) = launch(&mut flights, TickStart { epoch: 2, ..start(0, now) });
    assert_eq!(first, second, "the number is used again");
    flights.lost(&renewal, now);
    assert!(!cancel.is_cancelled());
    assert!(!flights.renewed(&renewal, now));
}

#[tokio::test]
async fn a_shutdown_cancels_all_ticks_keeps_their_leases_and_at_its_end_lands_each_of_them() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let (key, cancel) = launch(&mut flights, start(0, now));
    let (other, _) = launch(&mut flights, start(1, now));
    flights.shut_down();
    assert!(cancel.is_cancelled());
    let later = flights.attend(now + TIMEOUT + GRACE);
    assert_eq!((later.renewals.len(), later.abandoned.len()), (2, 0), "the grace is the shutdown's");
    let landed = flights.abandon_all();
    assert_eq!(landed.iter().filter(|landed| landed.stop == Stop::Shutdown).count(), 2);
    assert_eq!((flights.len(), flights.any_aloft(), flights.next_check()), (2, false, None));
    for key in [key, other] {
        let landing = flights.land(key);
        assert!(
            matches!(landing, Some(Landing::Gone { keeps_lease: true, .. })),
            "its lease is kept until its task is gone"
        );
    }
    assert_eq!(flights.len(), 0);
}

#[tokio::test]
async fn the_lease_of_a_void_tick_is_kept_until_its_task_is_gone() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let (key, _) = launch(&mut flights, start(0, now));
    flights.void(key, now);
    assert_eq!(flights.attend(now + GRACE).abandoned.len(), 1);
    assert!(matches!(flights.land(key), Some(Landing::Gone { keeps_lease: true, .. })));
}

#[tokio::test]
async fn after_the_machine_slept_each_lease_is_renewed_at_once_and_without_an_answer_its_tick_is_given_up() {
    let (mut flights, now) = (Flights::new(GRACE), Instant::now());
    let (_, silent) = launch(&mut flights, start(0, now));
    let (answered, heard) = launch(&mut flights, start(1, now));
    flights.attend(now + secs(1));
    flights.doubt(now + secs(1), secs(600));
    let renewals = flights.attend(now + secs(1)).renewals;
    assert_eq!(renewals.len(), 2);
    let renewal = *renewals.iter().find(|renewal| renewal.flight == answered).unwrap();
    let asked = Some(Asked { elapsed: now + secs(1), wall: UnixMs(0) });
    assert!(flights.renewed(&PendingRenewal { asked, ..renewal }, now + secs(2)));
    flights.attend(now + secs(3));
    assert!(silent.is_cancelled() && !heard.is_cancelled());
}

#[derive(Debug, Clone)]
enum Step {
    Launch(usize),
    Gone(usize),
    Void(usize),
    Renewed(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let job = 0_usize..5;
    prop_oneof![
        job.clone().prop_map(Step::Launch),
        job.clone().prop_map(Step::Gone),
        job.clone().prop_map(Step::Void),
        job.prop_map(Step::Renewed),
        (1_u64..15).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order: each tick lands once, none is looked at too late, and a job whose old task is there is
    /// known.
    #[test]
    fn each_tick_lands_once_and_none_is_looked_at_too_late(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = runtime.enter();
        let (mut flights, mut now) = (Flights::new(GRACE), Instant::now());
        let mut aloft: BTreeMap<usize, (FlightKey, Instant)> = BTreeMap::new();
        let mut renewals = BTreeMap::new();
        let mut left_behind = BTreeSet::new();
        for step in steps {
            match step {
                Step::Launch(job) if !aloft.contains_key(&job) => {
                    let (key, _) = launch(&mut flights, start(job, now));
                    aloft.insert(job, (key, now));
                }
                Step::Gone(job) => {
                    let Some((key, _)) = aloft.remove(&job) else { continue };
                    renewals.remove(&job);
                    let gone = matches!(flights.land(key), Some(Landing::Gone { .. }));
                    prop_assert_eq!(gone, left_behind.remove(&job), "settled before, or now");
                    prop_assert!(flights.land(key).is_none());
                }
                Step::Void(job) => {
                    if let Some((key, _)) = aloft.get(&job) {
                        flights.void(*key, now);
                    }
                }
                Step::Renewed(job) => {
                    if let Some(renewal) = renewals.get(&job) {
                        prop_assert!(flights.renewed(renewal, now));
                    }
                }
                Step::Launch(_) => {}
                Step::Pass(by) => {
                    now += secs(by);
                    let due = flights.next_check().is_some_and(|at| at <= now);
                    let attention = flights.attend(now);
                    let job_of = |job: JobIndex| job.position();
                    prop_assert!(due || attention.abandoned.is_empty() && attention.renewals.is_empty());
                    for landed in &attention.abandoned {
                        prop_assert!(left_behind.insert(job_of(landed.start.job)), "it lands once");
                    }
                    renewals.extend(attention.renewals.iter().map(|renewal| (job_of(renewal.job), *renewal)));
                    for (job, (_, since)) in &aloft {
                        let overdue = now.duration_since(*since) >= TIMEOUT + GRACE + secs(30);
                        prop_assert!(!overdue || left_behind.contains(job), "nothing outlives its deadline and its grace");
                    }
                    prop_assert!(flights.next_check().is_none_or(|at| at > now));
                }
            }
            prop_assert_eq!(flights.len(), aloft.len());
            prop_assert_eq!(flights.any_aloft(), aloft.keys().any(|job| !left_behind.contains(job)));
            for job in 0..5 {
                prop_assert_eq!(flights.has_abandoned(JobIndex::of(job).unwrap()), left_behind.contains(&job));
            }
        }
    }
}
