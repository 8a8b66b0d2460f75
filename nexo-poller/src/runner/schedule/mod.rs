//! When a job is due, as a pure function of time.

mod cron;
mod duration;
mod error;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zones;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::cron::CronSchedule;
pub use self::error::ScheduleError;
use super::seed;
use crate::store::{Slot, UnixMs};

/// When a job runs: every so often, at the times of a cron expression, or once.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::runner::{Schedule, UnixMs};
///
/// let often = Schedule::every(Duration::from_secs(300))?;
/// let weekdays = Schedule::cron("0 30 9 * * MON-FRI", Some("America/Bogota"))?;
/// let now = UnixMs(1_779_012_000_000); // 2026-05-17T10:00:00Z, a Sunday
/// assert_eq!(weekdays.firings_after(now, 1, "ana_jira")[0].to_string(), "2026-05-18T14:30:00.000Z");
/// assert_eq!(often.to_string(), "every 5m");
/// # Ok::<(), nexo_poller::runner::ScheduleError>(())
/// ```
///
/// - **every**: slots lie on a grid whose offset comes from the job's id, so that jobs with the same interval are spread
///   evenly, and a restart changes nothing. Time zones and daylight saving do not matter.
/// - **cron**: six fields, seconds first, or five with seconds 0. A fixed local time that daylight saving skips fires once,
///   right after the gap; one that occurs twice fires at the first occurrence. Wildcard hours and minutes follow elapsed
///   time. Where both day-of-month and day-of-week are given, a day matches when *either* does (as in Vixie cron).
/// - **at**: once.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    when: When,
    jitter: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq)]
enum When {
    Every(i64),
    Cron(Arc<CronSchedule>),
    At(UnixMs),
}

/// The shortest interval.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// The longest interval.
const MAX_INTERVAL: Duration = Duration::from_secs(366 * 86_400);
/// The largest jitter.
const MAX_JITTER: Duration = Duration::from_secs(3600);

impl Schedule {
    /// Every `interval`: at least 10 ms, at most 366 days.
    ///
    /// # Errors
    /// [`ScheduleError::Interval`] outside those bounds.
    pub fn every(interval: Duration) -> Result<Self, ScheduleError> {
        if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) {
            return Err(ScheduleError::Interval { found: format!("{interval:?}") });
        }
        let ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { when: When::Every(ms), jitter: None })
    }

    /// Every `text`, as a person writes it: `30s`, `5m`, `1h 30m`, `PT5M`; at least one second.
    ///
    /// # Errors
    /// [`ScheduleError`], which quotes the text.
    pub fn parse_every(text: &str) -> Result<Self, ScheduleError> {
        let interval = duration::parse(text)?;
        if interval < Duration::from_secs(1) {
            return Err(ScheduleError::Interval { found: text.to_owned() });
        }
        Self::every(interval)
    }

    /// At the times of a cron expression, in the IANA time zone `tz` (UTC where there is none).
    ///
    /// # Errors
    /// [`ScheduleError`] where the expression is none, never fires (`0 0 30 2 *`), or the zone is unknown.
    pub fn cron(expression: &str, tz: Option<&str>) -> Result<Self, ScheduleError> {
        Ok(Self { when: When::Cron(Arc::new(CronSchedule::parse(expression, tz)?)), jitter: None })
    }

    /// Once, at `at`.
    #[must_use]
    pub fn at(at: UnixMs) -> Self {
        Self { when: When::At(at), jitter: None }
    }

    /// The same schedule, each start delayed by up to `jitter` (at most an hour, and never more than a quarter of the
    /// schedule's shortest distance). Zero turns the runner's default off.
    ///
    /// # Errors
    /// [`ScheduleError::Jitter`] over an hour.
    pub fn with_jitter(mut self, jitter: Duration) -> Result<Self, ScheduleError> {
        if jitter > MAX_JITTER {
            return Err(ScheduleError::Jitter { found: format!("{jitter:?}") });
        }
        self.jitter = Some(jitter);
        Ok(self)
    }

    /// The IANA name of the time zone that the schedule follows; `None` for intervals and single instants.
    #[must_use]
    pub fn time_zone(&self) -> Option<&str> {
        match &self.when {
            When::Cron(cron) => Some(cron.tz_name()),
            When::Every(_) | When::At(_) => None,
        }
    }

    /// The next `count` slots of job `job_id` after `now`, without jitter; fewer where the schedule ends.
    #[must_use]
    pub fn firings_after(&self, now: UnixMs, count: usize, job_id: &str) -> Vec<UnixMs> {
        let grid = Grid::of(job_id, 0);
        std::iter::successors(self.next_after(now, grid), |slot| self.next_after(*slot, grid)).take(count).collect()
    }

    /// The first slot strictly after `after`.
    pub(crate) fn next_after(&self, after: UnixMs, grid: Grid) -> Option<UnixMs> {
        match &self.when {
            When::Every(interval) => {
                let offset = grid.offset(*interval);
                let steps = after.0.saturating_sub(offset).div_euclid(*interval).saturating_add(1);
                Some(UnixMs(steps.saturating_mul(*interval).saturating_add(offset)))
            }
            When::Cron(cron) => Some(grid.skewed(cron.next_after(grid.straight(after))?)),
            When::At(at) => (*at > after).then_some(*at),
        }
    }

    /// The last slot strictly before `before`.
    pub(crate) fn last_before(&self, before: UnixMs, grid: Grid) -> Option<UnixMs> {
        match &self.when {
            When::Every(interval) => {
                let offset = grid.offset(*interval);
                let steps = before.0.saturating_sub(offset).saturating_sub(1).div_euclid(*interval);
                Some(UnixMs(steps.saturating_mul(*interval).saturating_add(offset)))
            }
            When::Cron(cron) => Some(grid.skewed(cron.last_before(grid.straight(before))?)),
            When::At(at) => (*at < before).then_some(*at),
        }
    }

    /// When the run of slot `scheduled_at` is to start.
    pub(crate) fn slot(&self, scheduled_at: UnixMs, grid: Grid, default_jitter: Duration) -> Slot {
        let max = self.jitter_bound(default_jitter);
        let random = seed::mix(grid.seed ^ scheduled_at.0.cast_unsigned());
        let delay = seed::within(random, u64::try_from(max.as_millis()).unwrap_or(0));
        Slot { scheduled_at, due: scheduled_at.plus(Duration::from_millis(delay)) }
    }

    /// The largest delay that [`slot`](Self::slot) adds.
    pub(crate) fn jitter_bound(&self, default_jitter: Duration) -> Duration {
        let wanted = match (&self.when, self.jitter) {
            (When::At(_), _) => return Duration::ZERO,
            (_, Some(own)) => own,
            // Intervals are spread by their grid already.
            (When::Every(_), None) => Duration::ZERO,
            (When::Cron(_), None) => default_jitter,
        };
        wanted.min(self.typical_interval() / 4)
    }

    /// The distance between slots, or the shortest that is to be expected; a day for `at`.
    pub(crate) fn typical_interval(&self) -> Duration {
        match &self.when {
            When::Every(interval) => Duration::from_millis(interval.unsigned_abs()),
            When::Cron(cron) => cron.shortest_gap(),
            When::At(_) => Duration::from_secs(86_400),
        }
    }

    /// Whether slots are distances rather than times of the day, so that they start over where the clock is set back.
    pub(crate) fn is_interval(&self) -> bool {
        matches!(self.when, When::Every(_))
    }

    /// Whether there is only one slot.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self.when, When::At(_))
    }

    /// Differs between schedules that differ, on every machine and in every version.
    pub(crate) fn fingerprint(&self) -> i64 {
        let text = match &self.when {
            When::Every(interval) => format!("every {interval}"),
            When::Cron(cron) => format!("cron {cron}"),
            When::At(at) => format!("at {}", at.0),
        };
        seed::of(text.as_bytes()).cast_signed()
    }

    /// Shares the compiled expression with an equal schedule that is known already.
    pub(crate) fn intern(&mut self, known: &mut std::collections::HashMap<String, Self>) {
        if let When::Cron(cron) = &self.when {
            let text = cron.to_string();
            let shared = known.entry(text).or_insert_with(|| self.clone());
            self.when = shared.when.clone();
        }
    }
}

/// Where a job's interval slots lie, and the seed of its jitter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    seed: u64,
    skew: i64,
}

impl Grid {
    pub(crate) fn of(job_id: &str, skew: i64) -> Self {
        Self { seed: seed::of(job_id.as_bytes()), skew }
    }

    pub(crate) fn from_seed(seed: u64, skew: i64) -> Self {
        Self { seed, skew }
    }

    /// A slot of a cron schedule, moved by the skew: some milliseconds, so that no run key repeats.
    fn skewed(self, slot: UnixMs) -> UnixMs {
        UnixMs(slot.0.saturating_add(self.skew))
    }

    /// The other way.
    fn straight(self, at: UnixMs) -> UnixMs {
        UnixMs(at.0.saturating_sub(self.skew))
    }

    fn offset(self, interval: i64) -> i64 {
        let spread = seed::within(self.seed, interval.unsigned_abs().saturating_sub(1));
        i64::try_from(spread).unwrap_or(0).saturating_add(self.skew).rem_euclid(interval)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Every(interval) => write!(f, "every {}", duration::show(*interval)),
            When::Cron(cron) => cron.fmt(f),
            When::At(at) => write!(f, "at {at}"),
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self}, jitter: {:?})", self.jitter)
    }
}
