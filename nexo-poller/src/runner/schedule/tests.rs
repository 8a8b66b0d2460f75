use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> UnixMs {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

fn firings(expression: &str, tz: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::cron(expression, Some(tz)).unwrap();
    let show = |slot: UnixMs| slot.to_utc().format("%Y-%m-%dT%H:%MZ").to_string();
    schedule.firings_after(at(from), count, "job").into_iter().map(show).collect()
}

#[test]
fn a_date_that_does_not_exist_is_rejected_at_load() {
    let error = Schedule::cron("0 0 30 2 *", None).unwrap_err();
    assert_eq!(error.to_string(), "cron `0 0 30 2 *` never fires: no such date exists");
}

#[test]
fn five_fields_mean_second_zero() {
    assert_eq!(
        Schedule::cron("*/5 * * * *", None).unwrap().firings_after(at("2026-01-01T00:01:07Z"), 2, "job"),
        Schedule::cron("0 */5 * * * *", None).unwrap().firings_after(at("2026-01-01T00:01:07Z"), 2, "job"),
    );
}

#[test]
fn day_of_month_and_day_of_week_together_match_either() {
    // 2026-01-13 is a Tuesday: the next Friday is the 16th.
    assert_eq!(
        firings("0 0 0 13 * FRI", "UTC", "2026-01-12T00:00:00Z", 3),
        ["2026-01-13T00:00Z", "2026-01-16T00:00Z", "2026-01-23T00:00Z"]
    );
}

#[test]
fn what_is_no_schedule_is_refused_with_a_sentence() {
    for (error, expected) in [
        (Schedule::parse_every("5").unwrap_err(), "`5` is not a duration"),
        (Schedule::parse_every("-5m").unwrap_err(), "it is negative"),
        (Schedule::parse_every("500ms").unwrap_err(), "from one second to 366 days"),
        (Schedule::parse_every("9000000h").unwrap_err(), "from one second to 366 days"),
        (Schedule::cron("* * *", None).unwrap_err(), "it has 3 fields"),
        (Schedule::cron("0 0 0 1 1 * 2027", None).unwrap_err(), "it has 7 fields"),
        (Schedule::cron("61 * * * *", None).unwrap_err(), "`61 * * * *` is not a cron expression"),
        (Schedule::cron("0 9 * * *", Some("America/Bogotá")).unwrap_err(), "is not an IANA time zone"),
    ] {
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_duration_reads_as_people_write_it() {
    for (text, shown) in [("30s", "30s"), ("5m", "5m"), ("1h 30m", "1h 30m"), ("PT5M", "5m"), ("90s", "1m 30s")] {
        assert_eq!(Schedule::parse_every(text).unwrap().to_string(), format!("every {shown}"));
    }
}

/// Daily at a local time that the zone skips in spring and repeats in autumn: zone, expression, from, firings in UTC.
const SKIPPED_AND_REPEATED: &[(&str, &str, &str, [&str; 3])] = &[
    // Spring: 02:30 does not exist, so it fires right after the gap.
    (
        "America/New_York",
        "30 2 * * *",
        "2026-03-07T12:00:00Z",
        ["2026-03-08T07:00Z", "2026-03-09T06:30Z", "2026-03-10T06:30Z"],
    ),
    (
        "Europe/Madrid",
        "30 2 * * *",
        "2027-03-27T12:00:00Z",
        ["2027-03-28T01:00Z", "2027-03-29T00:30Z", "2027-03-30T00:30Z"],
    ),
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T00:00:00Z",
        ["2026-10-03T15:30Z", "2026-10-04T15:15Z", "2026-10-05T15:15Z"],
    ),
    (
        "America/Santiago",
        "30 0 * * *",
        "2026-09-05T12:00:00Z",
        ["2026-09-06T04:00Z", "2026-09-07T03:30Z", "2026-09-08T03:30Z"],
    ),
    (
        "Europe/London",
        "30 1 * * *",
        "2028-03-25T12:00:00Z",
        ["2028-03-26T01:00Z", "2028-03-27T00:30Z", "2028-03-28T00:30Z"],
    ),
    // Autumn: 01:30 or 02:30 occurs twice, and fires at the first occurrence.
    (
        "America/New_York",
        "30 1 * * *",
        "2026-10-31T12:00:00Z",
        ["2026-11-01T05:30Z", "2026-11-02T06:30Z", "2026-11-03T06:30Z"],
    ),
    (
        "Europe/Madrid",
        "30 2 * * *",
        "2027-10-30T12:00:00Z",
        ["2027-10-31T00:30Z", "2027-11-01T01:30Z", "2027-11-02T01:30Z"],
    ),
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2027-04-03T00:00:00Z",
        ["2027-04-03T14:45Z", "2027-04-04T15:15Z", "2027-04-05T15:15Z"],
    ),
    (
        "America/Santiago",
        "30 23 * * *",
        "2027-04-02T12:00:00Z",
        ["2027-04-03T02:30Z", "2027-04-04T02:30Z", "2027-04-05T03:30Z"],
    ),
    (
        "Europe/London",
        "30 1 * * *",
        "2028-10-28T12:00:00Z",
        ["2028-10-29T00:30Z", "2028-10-30T01:30Z", "2028-10-31T01:30Z"],
    ),
    // No daylight saving at all.
    (
        "America/Bogota",
        "30 2 * * *",
        "2026-03-07T12:00:00Z",
        ["2026-03-08T07:30Z", "2026-03-09T07:30Z", "2026-03-10T07:30Z"],
    ),
];

#[test]
fn a_skipped_local_time_fires_right_after_the_gap_and_a_repeated_one_fires_once() {
    for (zone, expression, from, expected) in SKIPPED_AND_REPEATED {
        assert_eq!(firings(expression, zone, from, 3), expected, "{zone} {expression} from {from}");
    }
}

#[test]
fn wildcard_minutes_follow_elapsed_time_through_both_changes() {
    for from in ["2026-03-08T06:00:00Z", "2026-11-01T04:00:00Z"] {
        let schedule = Schedule::cron("*/15 * * * *", Some("America/New_York")).unwrap();
        let mut before = at(from);
        for slot in schedule.firings_after(before, 24, "job") {
            assert_eq!(slot.since(before), Duration::from_secs(900), "{before} → {slot}");
            before = slot;
        }
    }
}

/// A daily job over ten years in zones of every habit: once per local day, whatever the clocks do.
#[test]
fn a_daily_job_fires_once_per_local_day_over_ten_years() {
    for zone in ["America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "America/Santiago", "Asia/Tehran", "UTC"] {
        let tz = jiff::tz::TimeZone::get(zone).unwrap();
        let schedule = Schedule::cron("0 30 2 * * *", Some(zone)).unwrap();
        let mut day = None;
        let mut count = 0;
        for slot in schedule.firings_after(at("2020-01-01T00:00:00Z"), 3650, "job") {
            let today = jiff::Timestamp::from_millisecond(slot.0).unwrap().to_zoned(tz.clone()).date();
            if let Some(yesterday) = day {
                assert_eq!(today, jiff::civil::Date::tomorrow(yesterday).unwrap(), "{zone} at {slot}");
            }
            day = Some(today);
            count += 1;
        }
        assert_eq!(count, 3650);
    }
}

proptest! {
    #[test]
    fn the_slots_of_an_interval_are_evenly_spaced_and_strictly_later(
        secs in 1u64..100_000, now in 0i64..4_000_000_000_000, id in "[a-z]{1,12}",
    ) {
        let schedule = Schedule::every(Duration::from_secs(secs)).unwrap();
        let slots = schedule.firings_after(UnixMs(now), 4, &id);
        prop_assert!(slots[0] > UnixMs(now) && slots[0] <= UnixMs(now).plus(Duration::from_secs(secs)));
        for pair in slots.windows(2) {
            prop_assert_eq!(pair[1].since(pair[0]), Duration::from_secs(secs));
        }
        prop_assert_eq!(schedule.last_before(slots[1], Grid::of(&id, 0)), Some(slots[0]));
        // A restart between two slots plans the same one.
        prop_assert_eq!(schedule.firings_after(UnixMs(slots[0].0 - 1), 1, &id)[0], slots[0]);
    }

    #[test]
    fn jitter_stays_within_a_quarter_of_the_distance_and_repeats_with_its_seed(
        jitter in 0u64..3600, now in 0i64..4_000_000_000_000, id in "[a-z]{1,12}",
    ) {
        let schedule = Schedule::cron("0 * * * *", None).unwrap().with_jitter(Duration::from_secs(jitter)).unwrap();
        let slot = schedule.slot(UnixMs(now), Grid::of(&id, 0), Duration::ZERO);
        prop_assert!(slot.due.since(slot.scheduled_at) <= Duration::from_secs(jitter.min(900)));
        prop_assert_eq!(slot, schedule.slot(UnixMs(now), Grid::of(&id, 0), Duration::ZERO));
    }
}
