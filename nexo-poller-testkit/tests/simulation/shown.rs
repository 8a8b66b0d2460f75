//! A history reads, and is drawn, as the guide shows it. `NEXO_REWRITE_DOCS=1` makes the guide show what is so now.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nexo_poller::runner::{JobSpec, Schedule};
use nexo_poller_testkit::sim::{History, Simulation, hours, minutes};

use crate::unfenced;

/// The night of daylight saving in Berlin, with a source that is away that morning.
fn shown() -> History {
    let job = |id: &str, schedule| JobSpec::new(id, "source", "ana", schedule);
    let nightly = Schedule::cron("0 30 2 * * *", Some("Europe/Berlin")).unwrap();
    let hourly = Schedule::cron("0 0 * * * *", Some("Europe/Berlin")).unwrap();
    let inbox = Schedule::every(Duration::from_secs(900)).unwrap();
    Simulation::new(7)
        .start_at("2026-03-28T22:00:00Z")
        .job(job("nightly", nightly))
        .job(job("hourly", hourly))
        .job(job("inbox", inbox))
        .outage(hours(6)..hours(6) + minutes(20))
        .crash(1, hours(8) + minutes(30), hours(1))
        .run_for(hours(12))
}

/// Holds the part of a file that `shown` finds against `now`, or writes it.
fn same(file: &str, now: &str, shown: impl Fn(&str) -> std::ops::Range<usize>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    let place = shown(&text);
    if std::env::var_os("NEXO_REWRITE_DOCS").is_some() {
        text.replace_range(place, now);
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(&text[place], now, "{file} shows something else; NEXO_REWRITE_DOCS=1 rewrites it");
    }
}

#[test]
fn a_timeline_reads_as_the_guide_shows_it() {
    same("simulation.md", &shown().to_string(), |guide| block(guide, "simulation, seed 7: 12 h"));
}

/// Where a text block of the guide that begins with `first` stands.
fn block(text: &str, first: &str) -> std::ops::Range<usize> {
    let begin = text.find(first).unwrap();
    begin..begin + text[begin..].find("\n```").unwrap()
}

fn failure_of(assertion: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().trim().to_owned()
}

#[test]
fn failed_assertions_read_as_the_guide_shows_them() {
    let night = shown().around("2026-03-29T01:00:00Z", hours(2));
    let text = failure_of(|| night.assert_slots("nightly", ["2026-03-29 02:30:00 +01:00"]));
    same("simulation.md", &text, |guide| block(guide, "expected: job `nightly` succeeds"));

    let every_minute = Schedule::every(Duration::from_secs(60)).unwrap();
    let sim = Simulation::new(1).job(JobSpec::new("inbox", "source", "ana", every_minute));
    // Runner 1 starts a tick, is cut off, and its commit arrives when runner 2 has long taken over.
    let sim = sim.runners(2).slow("inbox", minutes(0)..minutes(20), Duration::from_secs(5));
    let sim = sim.cut_off(1, Duration::from_secs(33)..minutes(5)).store(unfenced::store);
    let text = failure_of(|| sim.run_for(minutes(10)).assert_sound());
    same("simulation.md", &text, |guide| block(guide, "broken by job"));
}

#[test]
fn a_drawing_is_the_one_that_the_guide_shows() {
    same("daylight_saving.svg", &shown().to_svg(), |text| 0..text.len());
}

#[test]
fn a_drawing_has_a_mark_for_each_tick_and_no_word_breaks_it() {
    let every = Schedule::every(Duration::from_secs(600)).unwrap();
    let sim = Simulation::new(1).job(JobSpec::new("a<b>&\"c\"", "source", "ana", every.clone()));
    let history = sim.gone("a<b>&\"c\"", hours(2)..hours(3), "<script>").run_for(hours(3));
    let drawing = history.to_svg();
    assert_eq!(drawing.matches("<circle").count(), history.firings("a<b>&\"c\"").count());
    assert!(!drawing.contains("a<b>") && !drawing.contains("<script>"));
    assert!(drawing.contains("a&lt;b&gt;&amp;&quot;c&quot;") && drawing.contains("failed for good: &lt;script&gt;"));

    // A month has too many ticks for dots; it stays small.
    let month = Simulation::new(1).job(JobSpec::new("inbox", "source", "ana", every)).run_for(hours(720));
    let drawing = month.to_svg();
    assert!(drawing.len() < 20_000 && drawing.matches("<circle").count() == 0, "{} bytes", drawing.len());
}

#[test]
fn a_drawing_shows_the_hour_that_comes_twice() {
    let hourly = Schedule::cron("0 0 * * * *", Some("America/New_York")).unwrap();
    let sim = Simulation::new(1).start_at("2026-11-01T03:00:00Z");
    let drawing = sim.job(JobSpec::new("hourly", "source", "ana", hourly)).run_for(hours(8)).to_svg();
    assert!(drawing.contains("02:00 → 01:00"), "{drawing}");
    assert_eq!(drawing.matches(">01:00<").count(), 2, "{drawing}");
}
