use std::time::Duration;

use chrono::{DateTime, Utc};

use super::PollerError;

impl PollerError {
    /// The error that an HTTP status stands for, as most sources mean it: 408, 425, 429 and 5xx may pass, everything else
    /// will not by itself. `retry_after` is the response's `Retry-After` header, seconds or a date, and is a floor for the
    /// next try. `what` names the source in the message; leave out its query, which may hold a key.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nexo_poller::prelude::*;
    ///
    /// let error = PollerError::http_status("the tracker", 429, Some("90"));
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    /// assert_eq!(error.to_string(), "the tracker answered with HTTP status 429");
    /// ```
    #[must_use]
    pub fn http_status(what: &str, status: u16, retry_after: Option<&str>) -> Self {
        let message = format!("{what} answered with HTTP status {status}");
        let after = retry_after.and_then(read_retry_after);
        match status {
            408 | 425 | 429 | 500.. => Self::Transient { message, retry_after: after, source: None },
            _ => Self::Permanent { message, source: None },
        }
    }
}

/// What a `Retry-After` header asks for.
pub(crate) fn read_retry_after(header: &str) -> Option<Duration> {
    retry_after_at(header, Utc::now())
}

/// A number of seconds, or a date; one that has passed is no time at all.
fn retry_after_at(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(header).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ErrorClass;

    #[test]
    fn each_status_has_its_class() {
        for (status, class) in [
            (301, ErrorClass::Permanent),
            (401, ErrorClass::Permanent),
            (404, ErrorClass::Permanent),
            (408, ErrorClass::Transient),
            (429, ErrorClass::Transient),
            (500, ErrorClass::Transient),
            (599, ErrorClass::Transient),
        ] {
            assert_eq!(PollerError::http_status("x", status, None).class(), class, "status {status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_anything_else_is_ignored() {
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2015 07:26:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after_at(header, now), seconds.map(Duration::from_secs), "{header:?}");
        }
    }
}
