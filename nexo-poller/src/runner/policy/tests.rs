use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::contract::ErrorClass;
use crate::runner::job::CatchUp;
use crate::runner::options::RunnerOptions;
use crate::runner::schedule::Schedule;
use crate::store::{Breaker, JobState, Pause, PauseCause, UnixMs};

fn rules() -> Rules {
    Rules::from(&RunnerOptions::default())
}

fn rule(schedule: &Schedule, catch_up: CatchUp) -> JobRule<'_> {
    JobRule { schedule, catch_up, seed: seed_of("job"), config: 7 }
}

const START: UnixMs = UnixMs(1_779_012_000_000);

fn every(secs: u64) -> Schedule {
    Schedule::every(Duration::from_secs(secs)).unwrap()
}

fn transient(retry_after: Option<u64>) -> Outcome {
    Outcome::Failed {
        class: ErrorClass::Transient,
        message: "no answer".to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn ok(cursor: &str) -> Outcome {
    Outcome::Ok { cursor: Some(cursor.into()), hint: None }
}

/// Runs the job's next run, from its due time, for `took`.
fn run_next(job: &JobRule<'_>, state: JobState, outcome: Outcome, took: u64, random: u64) -> (Finished, UnixMs) {
    let slot = state.next.unwrap();
    let now = slot.due.plus(Duration::from_secs(took));
    let run = Run { scheduled_at: slot.scheduled_at, started: slot.due, manual: false };
    (finish(job, &rules(), state, &run, outcome, now, random), now)
}

#[test]
fn a_manual_run_after_the_clock_was_set_back_lets_no_completed_run_come_again() {
    let schedule = Schedule::cron("0 30 2 * * *", Some("America/New_York")).unwrap();
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let completed = state.next.unwrap().scheduled_at;
    // It asks to come back at once, and that run fails.
    let at_once = Outcome::Ok { cursor: None, hint: Some(Duration::ZERO) };
    let (finished, _) = run_next(&job, state, at_once, 0, 0);
    let (finished, now) = run_next(&job, finished.state, transient(None), 0, 0);
    // The clock is set back to before the run that completed, and an operator runs the job.
    let now = now.minus(Duration::from_secs(53_817));
    let state = edit(&job, &rules(), finished.state, &Change::ClockSetBack, now);
    let run = Run { scheduled_at: manual_key(&job, &state, now), started: now, manual: true };
    let state = finish(&job, &rules(), state, &run, ok("1"), now, 0).state;
    let next = state.next.unwrap();
    assert!(next.scheduled_at > completed, "{next:?} comes again; {completed:?} completed");
    assert!(next.due > now);
}

#[test]
fn failures_open_the_breaker_and_one_success_closes_it() {
    let schedule = every(300);
    let job = rule(&schedule, CatchUp::Once);
    let mut state = adopt(&job, &rules(), JobState::default(), START);
    let mut alerts = 0;
    for errors in 1..=8u32 {
        let (finished, now) = run_next(&job, state, transient(None), 0, u64::MAX);
        state = finished.state;
        alerts += u32::from(finished.alert.is_some());
        assert_eq!(state.errors, errors);
        let wait = state.next.unwrap().due.since(now);
        let expected = match errors {
            1..=4 => Duration::from_secs(5 * 2u64.pow(errors - 1)),
            // Cool-down doubles from 30 s to 300 s, and a tenth of jitter.
            5 => Duration::from_secs(33),
            6 => Duration::from_secs(66),
            7 => Duration::from_secs(132),
            _ => Duration::from_secs(264),
        };
        assert_eq!(wait, expected, "after {errors} failures");
        assert_eq!(matches!(state.breaker, Breaker::Open { .. }), errors >= 5);
    }
    assert_eq!(alerts, 1, "one alert, when it opened");
    let (finished, _) = run_next(&job, state, ok("1"), 0, 0);
    assert_eq!((finished.state.errors, finished.state.breaker), (0, Breaker::Closed));
    assert_eq!(finished.state.failure, None);
}

#[test]
fn a_retry_keeps_the_key_of_its_run_and_success_moves_on() {
    let schedule = every(300);
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let first = state.next.unwrap();
    let (finished, _) = run_next(&job, state, transient(None), 0, 1 << 62);
    assert_eq!(finished.state.next.unwrap().scheduled_at, first.scheduled_at);
    assert_eq!(finished.state.attempt, 1);
    let (finished, _) = run_next(&job, finished.state, ok("1"), 0, 0);
    assert_eq!(finished.state.next.unwrap().scheduled_at, first.scheduled_at.plus(Duration::from_secs(300)));
}

#[test]
fn six_hours_of_missed_runs_are_one_run_and_the_clock_is_past_them() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let scheduled_at = state.next.unwrap().scheduled_at;
    let now = START.plus(Duration::from_secs(6 * 3600));
    assert_eq!(fire(&job, &rules(), &state, now), Fire::Run { scheduled_at, attempt: 0 });
    let run = Run { scheduled_at, started: now, manual: false };
    let finished = finish(&job, &rules(), state, &run, ok("1"), now, 0);
    assert!(finished.state.next.unwrap().due > now);
    assert_eq!((finished.skipped_misfire, finished.skipped_overlap), (359, 0));
}

#[test]
fn skip_leaves_missed_runs_out_and_all_makes_up_for_at_most_a_hundred() {
    let schedule = every(60);
    let now = START.plus(Duration::from_secs(6 * 3600));
    let skip = rule(&schedule, CatchUp::Skip);
    let state = adopt(&skip, &rules(), JobState::default(), START);
    let Fire::Skip { state: skipped, skipped: count } = fire(&skip, &rules(), &state, now) else {
        panic!("a missed run is skipped")
    };
    assert!(skipped.next.unwrap().due > now && count >= 359);

    let all = rule(&schedule, CatchUp::All);
    let (mut state, mut runs, mut last) = (state, 0, UnixMs(0));
    while let Fire::Run { scheduled_at, .. } = fire(&all, &rules(), &state, now) {
        assert!(scheduled_at > last, "run keys grow");
        last = scheduled_at;
        let run = Run { scheduled_at, started: now, manual: false };
        state = finish(&all, &rules(), state, &run, ok("1"), now, 0).state;
        runs += 1;
    }
    // The one that was planned, then the last hundred.
    assert_eq!(runs, 101);
}

#[test]
fn slots_that_come_while_a_tick_runs_are_skipped_and_counted() {
    let schedule = every(10);
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let (finished, now) = run_next(&job, state, ok("1"), 35, 0);
    assert_eq!((finished.skipped_overlap, finished.skipped_misfire), (3, 0));
    assert!(finished.state.next.unwrap().due > now);
}

#[test]
fn a_config_that_changed_lifts_its_quarantine_and_nothing_else_does() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let refused = Outcome::Failed { class: ErrorClass::Config, message: "`url` is missing".into(), retry_after: None };
    let (finished, now) = run_next(&job, state, refused, 0, 0);
    assert_eq!(finished.state.pause.as_ref().unwrap().cause, PauseCause::Config);
    assert!(finished.alert.is_some());
    assert_eq!(adopt(&job, &rules(), finished.state.clone(), now), finished.state, "a restart changes nothing");
    let fixed = JobRule { config: 8, ..job };
    assert_eq!(adopt(&fixed, &rules(), finished.state, now).pause, None);
}

#[test]
fn resume_keeps_the_cursor_and_reset_forgets_it() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let (finished, now) = run_next(&job, adopt(&job, &rules(), JobState::default(), START), ok("42"), 0, 0);
    let pause =
        Pause { cause: PauseCause::Operator, reason: "maintenance".into(), by: "ana".into(), at: now, config: 0 };
    let paused = edit(&job, &rules(), finished.state, &Change::Pause(pause), now);
    assert_eq!(fire(&job, &rules(), &paused, now.plus(Duration::from_secs(900))), Fire::Never);
    let resumed = edit(&job, &rules(), paused.clone(), &Change::Resume, now);
    assert_eq!((resumed.cursor.as_deref(), resumed.pause), (Some(b"42".as_slice()), None));
    let reset = edit(&job, &rules(), paused, &Change::Reset, now);
    assert_eq!((reset.cursor.as_deref(), reset.previous_cursor.as_deref()), (None, Some(b"42".as_slice())));
}

#[test]
fn another_schedule_is_planned_again_and_keeps_the_cursor() {
    let (hourly, often) = (every(3600), every(5));
    let (finished, now) = run_next(
        &rule(&hourly, CatchUp::Once),
        adopt(&rule(&hourly, CatchUp::Once), &rules(), JobState::default(), START),
        ok("42"),
        0,
        0,
    );
    let adopted = adopt(&rule(&often, CatchUp::Once), &rules(), finished.state, now);
    assert!(adopted.next.unwrap().due <= now.plus(Duration::from_secs(5)));
    assert_eq!(adopted.cursor.as_deref(), Some(b"42".as_slice()));
}

#[test]
fn an_hour_back_starts_intervals_over_without_a_second_run_of_any_key() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let mut keys = std::collections::HashSet::new();
    let mut state = adopt(&job, &rules(), JobState::default(), START);
    for round in 0..4 {
        let mut now = START;
        if round > 0 {
            state = edit(&job, &rules(), state, &Change::ClockSetBack, START);
            assert!(state.next.unwrap().due <= now.plus(Duration::from_secs(60)), "it does not wait for the hour");
        }
        while now < START.plus(Duration::from_secs(3600)) {
            assert!(keys.insert(state.next.unwrap().scheduled_at), "a run key occurs once");
            let (finished, ended) = run_next(&job, state, ok("1"), 1, 0);
            (state, now) = (finished.state, ended);
        }
    }
}

#[test]
fn a_clock_that_is_set_back_while_a_tick_runs_does_not_stop_its_job_until_then() {
    let hour = Duration::from_secs(3600);
    for (noticed, hint) in [(false, None), (true, None), (false, Some(20)), (true, Some(20))] {
        let schedule = every(60);
        let job = rule(&schedule, CatchUp::Once);
        let mut state = adopt(&job, &rules(), JobState::default(), START);
        let slot = state.next.unwrap();
        let run = Run { scheduled_at: slot.scheduled_at, started: slot.due, manual: false };
        let now = slot.due.minus(hour);
        if noticed {
            state = edit(&job, &rules(), state, &Change::ClockSetBack, now);
        }
        let outcome = Outcome::Ok { cursor: None, hint: hint.map(Duration::from_secs) };
        let mut state = finish(&job, &rules(), state, &run, outcome, now, 0).state;
        assert!(state.next.unwrap().due <= now.plus(Duration::from_secs(60)), "{:?}", state.next);
        let mut keys = std::collections::HashSet::from([run.scheduled_at]);
        let mut now = now;
        while now < slot.due.plus(hour) {
            assert!(keys.insert(state.next.unwrap().scheduled_at), "a run key occurs once");
            let (finished, ended) = run_next(&job, state, ok("1"), 1, 0);
            (state, now) = (finished.state, ended);
        }
        assert!(keys.len() >= 119, "{} runs in two hours", keys.len());
    }
}

#[test]
fn a_clock_that_was_set_back_unseen_is_noticed_by_the_next_change_and_the_next_outcome() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let first = adopt(&job, &rules(), JobState::default(), START);
    let slot = first.next.unwrap().scheduled_at;
    let (done, ended) = run_next(&job, first, ok("1"), 1, 0);
    let back = ended.minus(Duration::from_secs(600));
    assert_eq!(done.state.next.unwrap().scheduled_at, slot.plus(Duration::from_secs(60)));
    for change in [Change::Resume, Change::Reset, Change::Adopt] {
        let state = edit(&job, &rules(), done.state.clone(), &change, back);
        assert!(state.skew == 1 && state.next.unwrap().due <= back.plus(Duration::from_secs(60)), "{change:?}");
    }
    let run = Run { scheduled_at: back, started: back, manual: false };
    let state = finish(&job, &rules(), done.state, &run, ok("2"), back, 0).state;
    assert_eq!(state.skew, 1);
}

#[test]
fn a_run_by_hand_takes_no_slots_key_and_no_slot_away() {
    let schedule = every(60);
    let job = rule(&schedule, CatchUp::Once);
    let state = adopt(&job, &rules(), JobState::default(), START);
    let slot = state.next.unwrap();
    // At the very millisecond of a slot, and where the last run lies ahead of a clock that was set back.
    assert_eq!(manual_key(&job, &state, slot.scheduled_at).0, slot.scheduled_at.0 + 1);
    let (ahead, _) = run_next(&job, state.clone(), ok("1"), 1, 0);
    let back = edit(&job, &rules(), ahead.state, &Change::ClockSetBack, START.minus(Duration::from_secs(600)));
    let key = manual_key(&job, &back, START);
    assert!(key.0 > slot.scheduled_at.0 + 1, "the grid was moved by a millisecond, and that slot is still to come");
    // One fails and one succeeds before the slot: the slot is still to come.
    let manual = |now: UnixMs| Run { scheduled_at: manual_key(&job, &state, now), started: now, manual: true };
    let failed = finish(&job, &rules(), state.clone(), &manual(START), transient(None), START, 0).state;
    let done = finish(&job, &rules(), failed, &manual(START), ok("1"), START, 0).state;
    assert_eq!(done.next, state.next);
}

#[derive(Debug, Clone)]
enum Event {
    Ok { hint: Option<u64>, cursor: Option<Vec<u8>> },
    Failed { class: u8, retry_after: Option<u64> },
    ByHand { works: bool },
    Pause,
    Resume,
    Reset,
    SetCursor(Option<Vec<u8>>),
    Adopt,
    SetBack(u64),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (prop::option::of(0u64..5000), prop::option::of(prop::collection::vec(any::<u8>(), 0..3)))
            .prop_map(|(hint, cursor)| Event::Ok { hint, cursor }),
        4 => (prop_oneof![8 => Just(0u8), 1 => Just(1), 1 => Just(2)], prop::option::of(0u64..8000))
            .prop_map(|(class, retry_after)| Event::Failed { class, retry_after }),
        1 => any::<bool>().prop_map(|works| Event::ByHand { works }),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
        1 => Just(Event::Reset),
        1 => prop::option::of(prop::collection::vec(any::<u8>(), 0..3)).prop_map(Event::SetCursor),
        1 => Just(Event::Adopt),
        1 => (1u64..90_000).prop_map(Event::SetBack),
        2 => (1u64..90_000).prop_map(Event::Wait),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        (1u64..100_000).prop_map(every),
        prop::sample::select(vec!["*/5 * * * *", "0 30 2 * * *", "15 9 * * MON-FRI", "* * * * * *"])
            .prop_map(|cron| Schedule::cron(cron, Some("America/New_York")).unwrap()),
        (0i64..1_000_000).prop_map(|offset| Schedule::at(UnixMs(START.0 + offset * 1000))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_no_decision_is_in_the_past_and_no_run_key_completes_twice(
        schedule in schedule(),
        catch_up in prop::sample::select(vec![CatchUp::Once, CatchUp::Skip, CatchUp::All]),
        events in prop::collection::vec((event(), 0u64..400, any::<u64>()), 1..40),
    ) {
        let (job, rules) = (rule(&schedule, catch_up), rules());
        let mut now = START;
        let mut state = adopt(&job, &rules, JobState::default(), now);
        let mut completed = std::collections::HashSet::new();
        for (event, took, random) in events {
            let before = state.clone();
            match event {
                Event::Wait(secs) => now = now.plus(Duration::from_secs(secs)),
                Event::SetBack(secs) => {
                    now = now.minus(Duration::from_secs(secs));
                    state = edit(&job, &rules, state, &Change::ClockSetBack, now);
                }
                Event::Adopt => state = edit(&job, &rules, state, &Change::Adopt, now),
                Event::Pause => {
                    let (cause, by, at) = (PauseCause::Operator, "ana".to_owned(), now);
                    let pause = Pause { cause, reason: String::new(), by, at, config: 0 };
                    state = edit(&job, &rules, state, &Change::Pause(pause), now);
                    prop_assert_eq!(fire(&job, &rules, &state, now), Fire::Never);
                }
                Event::Resume => {
                    state = edit(&job, &rules, state, &Change::Resume, now);
                    prop_assert!(state.pause.is_none() && state.cursor == before.cursor);
                    prop_assert!(state.next.is_none_or(|next| next.due >= now));
                }
                Event::Reset => {
                    state = edit(&job, &rules, state, &Change::Reset, now);
                    prop_assert!(state.pause.is_none() && state.cursor.is_none() && state.errors == 0);
                }
                Event::SetCursor(cursor) => {
                    let cursor = cursor.map(Vec::into_boxed_slice);
                    state = edit(&job, &rules, state, &Change::SetCursor(cursor.clone()), now);
                    prop_assert_eq!(&state.cursor, &cursor);
                    prop_assert_eq!(&state.previous_cursor, &before.cursor);
                    prop_assert_eq!((&state.pause, state.errors), (&before.pause, before.errors));
                }
                Event::ByHand { works } => {
                    let run = Run { scheduled_at: UnixMs(i64::MAX / 2), started: now, manual: true };
                    let outcome = if works { ok("hand") } else { transient(None) };
                    let slot = state.next;
                    state.last = before.last;
                    state = finish(&job, &rules, state, &run, outcome, now, random).state;
                    state.last = before.last;
                    if works && before.attempt == 0 {
                        prop_assert_eq!(state.next, slot, "a run by hand leaves the schedule alone");
                    }
                }
                Event::Ok { .. } | Event::Failed { .. } => {
                    // A job that is due is run; one that is not is waited for.
                    let (scheduled_at, attempt) = match fire(&job, &rules, &state, now) {
                        Fire::Never => continue,
                        Fire::Wait(until) => {
                            prop_assert!(until > now);
                            now = until;
                            continue;
                        }
                        Fire::Skip { state: skipped, .. } => {
                            prop_assert!(skipped.next.is_none_or(|next| next.due > now));
                            state = *skipped;
                            continue;
                        }
                        Fire::Run { scheduled_at, attempt } => (scheduled_at, attempt),
                    };
                    prop_assert_eq!(attempt, state.attempt);
                    let run = Run { scheduled_at, started: now, manual: false };
                    now = now.plus(Duration::from_secs(took));
                    let outcome = match &event {
                        Event::Ok { hint, cursor } => {
                            Outcome::Ok { cursor: cursor.clone(), hint: hint.map(Duration::from_secs) }
                        }
                        Event::Failed { class, retry_after } => Outcome::Failed {
                            class: [ErrorClass::Transient, ErrorClass::Permanent, ErrorClass::Config][usize::from(*class)],
                            message: "it failed".to_owned(),
                            retry_after: retry_after.map(Duration::from_secs),
                        },
                        _ => continue,
                    };
                    let finished = finish(&job, &rules, state.clone(), &run, outcome.clone(), now, random);
                    // The same inputs give the same answer.
                    prop_assert_eq!(&finished, &finish(&job, &rules, state.clone(), &run, outcome, now, random));
                    state = finished.state;
                    if let Some(next) = state.next.filter(|_| state.pause.is_none()) {
                        prop_assert!(next.due >= now, "due {} before now {now}", next.due);
                    }
                    match event {
                        Event::Ok { hint, .. } => {
                            prop_assert!(completed.insert(scheduled_at), "run {scheduled_at} completed twice");
                            prop_assert_eq!((state.errors, state.attempt), (0, 0));
                            if let (Some(hint), Some(next)) = (hint, state.next) {
                                // The hint moves one slot; the one after it is the schedule's again.
                                prop_assert!(next.due <= now.plus(Duration::from_secs(hint.max(1))));
                            }
                        }
                        Event::Failed { class: 0, retry_after: Some(secs @ 1..) } => {
                            let floor = Duration::from_secs(secs.min(3600));
                            let wait = state.next.unwrap().due.since(now);
                            prop_assert!(wait >= floor, "retry-after is a floor");
                            prop_assert!(wait <= floor + (floor / 10).max(Duration::from_secs(1)));
                            prop_assert_eq!((state.errors, state.attempt), (before.errors, before.attempt));
                        }
                        // A retry-after of zero is no hint.
                        Event::Failed { class: 0, retry_after: None | Some(0) } => {
                            let cap = rules.backoff_cap.max(schedule.typical_interval());
                            prop_assert!(state.next.unwrap().due.since(now) <= cap);
                            prop_assert_eq!(&state.cursor, &before.cursor);
                        }
                        _ => prop_assert!(state.pause.is_some()),
                    }
                }
            }
        }
    }
}
