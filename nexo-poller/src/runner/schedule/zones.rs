//! Every zone of the database against an oracle of its own: what a daily job does around each clock change.

use jiff::civil::{Date, DateTime};
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

/// The instants at which a job of `hour:minute` fires, seen by whoever looks at the clock on the wall each minute and knows nothing
/// else: once a day, when the clock shows the time for the first time, or when it has jumped over it.
struct Daily {
    hour: i8,
    minute: i8,
    fired_on: Option<Date>,
}

impl Daily {
    fn fires(&mut self, before: DateTime, now: DateTime) -> bool {
        let wanted = now.date().at(self.hour, self.minute, 0, 0);
        let shown_or_jumped_over = now == wanted || (before < wanted && wanted < now);
        let fires = shown_or_jumped_over && self.fired_on != Some(now.date());
        if fires {
            self.fired_on = Some(now.date());
        }
        fires
    }
}

/// `NEXO_TEST_DST=all` asks for every zone over five years, which takes minutes in a release build.
#[test]
fn each_fire_is_where_somebody_who_looks_at_the_clock_each_minute_expects_it_and_there_is_no_other() {
    let all = std::env::var("NEXO_TEST_DST").is_ok_and(|how| how == "all");
    let from: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let until: Timestamp = if all { "2029-01-01T00:00:00Z" } else { "2025-01-01T00:00:00Z" }.parse().unwrap();
    let (mut zones, mut fires) = (0_u64, 0_u64);
    for name in jiff::tz::db().available().step_by(if all { 1 } else { 80 }) {
        let tz = TimeZone::get(name.as_str()).unwrap();
        let cron = |expression: &str| Schedule::cron(expression, Some(name.as_str())).unwrap();
        let (hourly, night, midnight) = (cron("0 0 * * * *"), cron("0 30 2 * * *"), cron("0 0 0 * * *"));
        let grid = Grid::of("job", 0);
        let first = UnixMs(from.as_millisecond() - 1);
        let mut next =
            [&hourly, &night, &midnight].map(|schedule| (schedule, schedule.next_after(first, grid).unwrap()));
        let mut daily = [(2, 30), (0, 0)].map(|(hour, minute)| Daily { hour, minute, fired_on: None });
        let mut before = tz.to_datetime(from.checked_sub(1.minute()).unwrap());
        let mut at = from;
        while at < until {
            let now = tz.to_datetime(at);
            let [second, third] = daily.each_mut().map(|daily| daily.fires(before, now));
            for (expected, (schedule, found)) in [now.minute() == 0, second, third].into_iter().zip(&mut next) {
                let here = found.0 == at.as_millisecond();
                assert_eq!(here, expected, "{schedule} in {name} at {at}, {now}; found {found}");
                if here {
                    *found = schedule.next_after(*found, grid).unwrap();
                    fires += 1;
                }
            }
            (before, at) = (now, at.checked_add(1.minute()).unwrap());
        }
        zones += 1;
    }
    println!(
        "figure schedule.dst_oracle_fires value={fires} unit=fires limit=0 ratio=0 note={zones}-zones-each-minute-until-{until}"
    );
    assert!(!all || fires >= 20_000_000, "{fires}");
}
