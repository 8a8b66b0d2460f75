use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{ErrorClass, PollerError};

/// A status with which an HTTP source refuses to answer, as the error of a tick: what it means, and what the operator can do.
///
/// 408, 425, 429 and 5xx may pass and are retried; everything else will not mend itself and pauses the job. At 3xx, 401, 403, 404,
/// 410, 429 and 5xx the message says why and what to do; [`hint`](Self::hint) puts words of your own in place of that advice.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::prelude::*;
///
/// let refused = HttpStatus::new("Jira", 401).account("ana", "jira").error();
/// assert_eq!(
///     refused.to_string(),
///     "Jira answered with HTTP status 401: it does not accept the credentials of agent `ana` for channel `jira`; renew them"
/// );
/// let moved = HttpStatus::new("Jira", 404).hint("check `base_url`").error();
/// assert_eq!(
///     moved.to_string(),
///     "Jira answered with HTTP status 404: there is nothing at this address; check `base_url`"
/// );
/// let later = HttpStatus::new("Jira", 429).retry_after(read_retry_after("90", Utc::now())).error();
/// assert_eq!(later.retry_after(), Some(Duration::from_secs(90)));
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "it is an error only once `error()` makes one of it"]
pub struct HttpStatus<'a> {
    what: &'a str,
    status: u16,
    account: Option<(&'a str, &'a str)>,
    hint: Option<&'a str>,
    retry_after: Option<Duration>,
}

impl<'a> HttpStatus<'a> {
    /// `what` has answered with `status`. It names the source in the message; leave out its query, which may hold a key.
    pub fn new(what: &'a str, status: u16) -> Self {
        Self { what, status, account: None, hint: None, retry_after: None }
    }

    /// Whose credentials it was asked with: those of `agent` ([`PollContext::agent_id`](super::PollContext::agent_id)) for
    /// `channel`.
    pub fn account(mut self, agent: &'a str, channel: &'a str) -> Self {
        self.account = Some((agent, channel));
        self
    }

    /// What the operator can do, where you know better: `check "base_url"`. That the job is to be resumed afterwards need not be
    /// said.
    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// How long the source wants to be left alone, as [`read_retry_after`] reads it: a floor for the next try.
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// What it means for the job, for whoever makes an error of another kind of it.
    #[must_use]
    pub fn class(self) -> ErrorClass {
        match self.status {
            408 | 425 | 429 | 500.. => ErrorClass::Transient,
            _ => ErrorClass::Permanent,
        }
    }

    /// The error of the tick.
    #[must_use]
    pub fn error(self) -> PollerError {
        let passes = self.class() == ErrorClass::Transient;
        let message = self.message();
        if passes {
            PollerError::Transient { message, retry_after: self.retry_after, source: None }
        } else {
            PollerError::Permanent { message, source: None }
        }
    }

    fn message(self) -> String {
        let Self { what, status, .. } = self;
        let (reason, advice) = self.known();
        let said = format!("{what} answered with HTTP status {status}");
        match (reason, self.hint.or(advice)) {
            (None, None) => said,
            (None, Some(hint)) => format!("{said}: {hint}"),
            (Some(reason), None) => format!("{said}: {reason}"),
            (Some(reason), Some(advice)) => format!("{said}: {reason}; {advice}"),
        }
    }

    /// Why, and what to do.
    fn known(self) -> (Option<String>, Option<&'static str>) {
        let credentials = match self.account {
            Some((agent, channel)) => format!("the credentials of agent `{agent}` for channel `{channel}`"),
            None => "the credentials".to_owned(),
        };
        let address = "check the address in the job's config";
        let (reason, advice) = match self.status {
            300..=399 => ("it sends us elsewhere, to a login perhaps".to_owned(), address),
            401 => (format!("it does not accept {credentials}"), "renew them"),
            403 => (format!("{credentials} do not allow this"), "have access given to them there"),
            404 | 410 => ("there is nothing at this address".to_owned(), address),
            429 => ("it is asked too often".to_owned(), "if it stays so, give the job a longer interval"),
            500.. => ("the fault is on its side".to_owned(), "nothing is to be done unless it stays so"),
            _ => return (None, None),
        };
        (Some(reason), Some(advice))
    }
}

impl From<HttpStatus<'_>> for PollerError {
    fn from(status: HttpStatus<'_>) -> Self {
        status.error()
    }
}

/// What a `Retry-After` header asks for, whichever HTTP client has read it: a number of seconds, or a date in any of the three
/// forms that HTTP knows ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)). A date is counted from
/// `now`, the tick's own time; one that has passed is no time at all. `None` where the header is neither.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::prelude::*;
///
/// let now = "1994-11-06T08:49:07Z".parse()?;
/// assert_eq!(read_retry_after("120", now), Some(Duration::from_secs(120)));
/// assert_eq!(read_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
/// assert_eq!(read_retry_after("soon", now), None);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[must_use]
pub fn read_retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is for ever; the runner has a cap of its own.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    // Section 5.6.7: the form of today, and the two that are obsolete and still to be read.
    let obsolete = || {
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(header, form).ok())
    };
    let date = match DateTime::parse_from_rfc2822(header) {
        Ok(date) => date.to_utc(),
        Err(_) => obsolete()?.and_utc(),
    };
    Some((date - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let refused = HttpStatus::new("x", status);
            assert_eq!((refused.class(), refused.error().class()), (class, class), "status {status}");
        }
    }

    #[test]
    fn what_can_be_done_is_said_in_the_authors_words_where_there_are_any() {
        let said = |status: HttpStatus<'_>| status.error().to_string().split_off("x answered with HTTP status ".len());
        for (status, own, expected) in [
            (403, None, "403: the credentials do not allow this; have access given to them there"),
            (401, Some("make a new token"), "401: it does not accept the credentials; make a new token"),
            (302, Some("check `url`"), "302: it sends us elsewhere, to a login perhaps; check `url`"),
            (418, None, "418"),
            (418, Some("no coffee here"), "418: no coffee here"),
            (408, Some("be quicker"), "408: be quicker"),
            (503, None, "503: the fault is on its side; nothing is to be done unless it stays so"),
        ] {
            let mut refusal = HttpStatus::new("x", status);
            if let Some(own) = own {
                refusal = refusal.hint(own);
            }
            assert_eq!(said(refusal), expected);
        }
        let whose = said(HttpStatus::new("x", 403).account("ana", "jira"));
        assert!(
            whose.starts_with("403: the credentials of agent `ana` for channel `jira` do not allow this"),
            "{whose}"
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_anything_else_is_ignored() {
        let now = "1994-11-06T08:48:37Z".parse().unwrap();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(60)),
            ("Sun Nov  6 08:49:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:47:37 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(read_retry_after(header, now), seconds.map(Duration::from_secs), "{header:?}");
        }
    }
}
