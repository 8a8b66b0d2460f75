//! Google's Calendar API, as far as this poller needs it: <https://developers.google.com/workspace/calendar/api/guides/sync>.

use nexo_google_auth::{Google, address};
use nexo_poller::prelude::*;
use url::Url;

/// What of an event a message can name.
pub(crate) struct EventFields;

impl TemplateFields for EventFields {
    const FIELDS: &'static [&'static str] = &["summary", "start", "end", "location", "status", "html_link"];
}

/// The events of one calendar.
pub(crate) struct Events<'a> {
    google: Google,
    /// Where they are.
    url: Url,
    cancel: &'a CancellationToken,
}

/// What has changed, or all there is.
pub(crate) struct Changes {
    pub(crate) events: Vec<Event>,
    /// Where to go on.
    pub(crate) sync_token: String,
}

/// An event, an instance of its own where it recurs.
pub(crate) struct Event {
    pub(crate) updated: Option<DateTime<Utc>>,
    /// What a message can name.
    pub(crate) fields: Value,
}

impl<'a> Events<'a> {
    pub(crate) fn new(
        google: Google,
        api: Option<&Url>,
        calendar: &str,
        cancel: &'a CancellationToken,
    ) -> Result<Self, PollerError> {
        let url = address(api, "https://www.googleapis.com/calendar/v3", &["calendars", calendar, "events"])?;
        Ok(Self { google, url, cancel })
    }

    /// What has changed since `sync_token`, else all there is; `None` where Google has forgotten the token.
    pub(crate) async fn since(&self, sync_token: Option<&str>) -> Result<Option<Changes>, PollerError> {
        let (mut events, mut place) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.url.clone();
            url.query_pairs_mut().extend_pairs([("singleEvents", "true"), ("maxResults", "2500")]);
            let named = [("syncToken", sync_token), ("pageToken", place.as_deref())];
            url.query_pairs_mut().extend_pairs(named.into_iter().filter_map(|(key, value)| Some((key, value?))));
            let answer = self.google.get(url).await?;
            let mut page = match answer.status() {
                410 => return Ok(None),
                404 => return Err(answer.refused().hint("check `calendar_id`").error()),
                _ => answer.json()?,
            };
            let Value::Array(items) = page["items"].take() else {
                return Err(PollerError::transient("what Google answered is no list of events"));
            };
            events.extend(items.iter().map(read_event));
            if let Some(sync_token) = page["nextSyncToken"].as_str() {
                return Ok(Some(Changes { events, sync_token: sync_token.to_owned() }));
            }
            let next = page["nextPageToken"].as_str().map(str::to_owned);
            place = Some(
                next.ok_or("it has neither").transient("Google's answer names neither a next page nor a sync token")?,
            );
            if self.cancel.is_cancelled() {
                return Err(PollerError::transient("the tick was told to stop before it had read the whole calendar"));
            }
        }
    }
}

fn read_event(event: &Value) -> Event {
    // An event of whole days has a `date`.
    let time = |key: &str| event[key].get("dateTime").or_else(|| event[key].get("date")).cloned().unwrap_or_default();
    let text = |key: &str| event.get(key).cloned().unwrap_or_default();
    let fields = json!({
        "summary": text("summary"), "start": time("start"), "end": time("end"), "location": text("location"),
        "status": text("status"), "html_link": text("htmlLink"),
    });
    Event { updated: event["updated"].as_str().and_then(|time| time.parse().ok()), fields }
}
