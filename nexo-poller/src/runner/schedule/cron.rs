use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::error::ScheduleError;
use crate::store::UnixMs;

/// A cron expression in a time zone.
pub(super) struct CronSchedule {
    expression: String,
    tz_name: String,
    cron: Cron,
    tz: TimeZone,
    shortest_gap: Duration,
}

/// From here the shortest gap is looked for: the same instant always, so that every machine finds the same one.
const REFERENCE: UnixMs = UnixMs(1_704_067_200_000);
const GAPS_LOOKED_AT: usize = 12;

impl CronSchedule {
    pub(super) fn parse(expression: &str, tz: Option<&str>) -> Result<Self, ScheduleError> {
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let refuse = |reason: String| ScheduleError::Cron { expression: expression.clone(), reason };
        let fields = expression.split(' ').count();
        if !expression.starts_with('@') && fields != 5 && fields != 6 {
            return Err(refuse(format!("it has {fields} fields")));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(&expression).map_err(|error| refuse(error.to_string()))?;
        let tz_name = tz.unwrap_or("UTC");
        let tz = TimeZone::get(tz_name).map_err(|_| ScheduleError::Zone { tz: tz_name.to_owned() })?;
        let mut this = Self {
            expression: expression.clone(),
            tz_name: tz_name.to_owned(),
            cron,
            tz,
            shortest_gap: Duration::ZERO,
        };
        let first = this.next_after(REFERENCE).ok_or(ScheduleError::Never { expression })?;
        let firings: Vec<_> =
            std::iter::successors(Some(first), |at| this.next_after(*at)).take(GAPS_LOOKED_AT + 1).collect();
        this.shortest_gap =
            firings.windows(2).map(|pair| pair[1].since(pair[0])).min().unwrap_or(Duration::from_secs(86_400));
        Ok(this)
    }

    pub(super) fn next_after(&self, after: UnixMs) -> Option<UnixMs> {
        // Slots have whole seconds, so the fraction may be cut off.
        let start = self.zoned(after.0.div_euclid(1000))?;
        let mut found = self.cron.find_next_occurrence(&start, false).ok()?;
        // A search that starts inside a gap or a fold may stand still or look back; a slot never may.
        while found.timestamp().as_millisecond() <= after.0 {
            let onward = self.zoned(found.timestamp().as_second().max(after.0.div_euclid(1000)) + 1)?;
            found = self.cron.find_next_occurrence(&onward, true).ok()?;
        }
        Some(UnixMs(found.timestamp().as_millisecond()))
    }

    pub(super) fn last_before(&self, before: UnixMs) -> Option<UnixMs> {
        let start = self.zoned(before.0.saturating_add(999).div_euclid(1000))?;
        let found = self.cron.find_previous_occurrence(&start, false).ok()?;
        Some(UnixMs(found.timestamp().as_millisecond()))
    }

    pub(super) fn shortest_gap(&self) -> Duration {
        self.shortest_gap
    }

    pub(super) fn tz_name(&self) -> &str {
        &self.tz_name
    }

    fn zoned(&self, second: i64) -> Option<Zoned> {
        Timestamp::from_second(second).ok().map(|at| at.to_zoned(self.tz.clone()))
    }
}

impl PartialEq for CronSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.tz_name == other.tz_name
    }
}

impl Eq for CronSchedule {}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron {} ({})", self.expression, self.tz_name)
    }
}
