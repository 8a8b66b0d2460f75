//! Every zone of the database against an oracle of its own: what a daily job does around each clock change.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::*;

/// When a daily job of `hour:minute` fires on `date`, by the rule and not by a cron library.
fn oracle(tz: &TimeZone, date: Date, hour: i8, minute: i8) -> Timestamp {
    let wanted = tz.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
    let gap = matches!(wanted.offset(), AmbiguousOffset::Gap { .. });
    let earlier_in_folds_later_in_gaps = wanted.compatible().unwrap();
    if gap {
        // Right after the gap: at the change itself.
        let after = earlier_in_folds_later_in_gaps.checked_add(1.second()).unwrap();
        return tz.preceding(after).next().unwrap().timestamp();
    }
    earlier_in_folds_later_in_gaps
}

#[test]
fn in_every_zone_a_daily_job_keeps_the_rule_around_every_clock_change() {
    let from: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let until: Timestamp = "2029-01-01T00:00:00Z".parse().unwrap();
    let times = [(0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 0), (23, 30)];
    let (mut changes, mut fires) = (0, 0);
    for (index, name) in jiff::tz::db().available().enumerate() {
        let tz = TimeZone::get(name.as_str()).unwrap();
        let transitions: Vec<_> =
            tz.following(from).map(|change| change.timestamp()).take_while(|at| *at < until).take(10).collect();
        for (turn, change) in transitions.into_iter().enumerate() {
            let (hour, minute) = times[(index + turn) % times.len()];
            let cron = Schedule::cron(&format!("0 {minute} {hour} * * *"), Some(name.as_str())).unwrap();
            let start = change.checked_sub(50.hours()).unwrap();
            let found = cron.firings_after(UnixMs(start.as_millisecond()), 4, "job");
            let mut date = start.to_zoned(tz.clone()).date().yesterday().unwrap();
            let mut expected = Vec::new();
            while expected.len() < 4 {
                let at = oracle(&tz, date, hour, minute);
                if at > start {
                    expected.push(UnixMs(at.as_millisecond()));
                }
                date = date.tomorrow().unwrap();
            }
            assert_eq!(found, expected, "{name} at {hour}:{minute:02} around {change}");
            changes += 1;
            fires += found.len();
        }
    }
    assert!(changes > 500, "the time zone database is there: {changes} changes, {fires} fires");
}
