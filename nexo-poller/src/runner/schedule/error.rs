/// Why something is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// Not a duration.
    #[error("`{text}` is not a duration: write it like 30s, 5m, 1h 30m or PT5M ({reason})")]
    Duration {
        /// As written.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// An interval out of bounds.
    #[error("an interval of {found} is out of bounds: from one second to 366 days")]
    Interval {
        /// As given.
        found: String,
    },
    /// A jitter out of bounds.
    #[error("a jitter of {found} is out of bounds: at most one hour")]
    Jitter {
        /// As given.
        found: String,
    },
    /// Not a cron expression.
    #[error(
        "`{expression}` is not a cron expression ({reason}): six fields, seconds first (`0 */5 * * * *`), or five \
         without seconds"
    )]
    Cron {
        /// As written.
        expression: String,
        /// What the parser said.
        reason: String,
    },
    /// A cron expression without a single firing.
    #[error("cron `{expression}` never fires: no such date exists")]
    Never {
        /// As written.
        expression: String,
    },
    /// A time zone that is none.
    #[error("`{tz}` is not an IANA time zone; names look like `America/Bogota` or `UTC`")]
    Zone {
        /// As written.
        tz: String,
    },
}
