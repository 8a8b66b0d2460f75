use std::ops::Range;
use std::time::Duration;

use nexo_poller::store::UnixMs;

use crate::clock::read_time;

/// An instant of a simulation: a [`Duration`] since its start, or an RFC 3339 time such as `"2026-03-29T01:00:00Z"`, which
/// is the clock's as it would be if nobody set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Written);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Since(Duration),
    At(UnixMs),
}

impl From<Duration> for Moment {
    fn from(since: Duration) -> Self {
        Self(Written::Since(since))
    }
}

impl From<&str> for Moment {
    #[track_caller]
    fn from(text: &str) -> Self {
        Self(Written::At(UnixMs::from(read_time(text))))
    }
}

impl Moment {
    /// How long after `start` it is; zero where it is before.
    pub(super) fn after(self, start: UnixMs) -> Duration {
        match self.0 {
            Written::Since(since) => since,
            Written::At(at) => at.since(start),
        }
    }
}

/// A stretch of elapsed time.
pub(super) fn stretch<M: Into<Moment>>(range: Range<M>) -> Range<Moment> {
    range.start.into()..range.end.into()
}

/// `count` days.
#[must_use]
pub const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// `count` hours.
#[must_use]
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

/// `count` minutes.
#[must_use]
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
