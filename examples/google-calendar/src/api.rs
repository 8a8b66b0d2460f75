//! Google's Calendar API, as far as this poller needs it: <https://developers.google.com/workspace/calendar/api/guides/sync>.

use std::time::Duration;

use nexo_google_auth::{AccessToken, true_status};
use nexo_poller::prelude::*;
use ureq::Agent;
use url::Url;

/// What of an event a message can name.
pub(crate) struct EventFields;

impl TemplateFields for EventFields {
    const FIELDS: &'static [&'static str] = &["summary", "start", "end", "location", "status", "html_link"];
}

/// One HTTP client, with its connections, for all jobs of the process.
pub(crate) struct Http(Agent);

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        Self(config.http_status_as_error(false).max_redirects(0).build().into())
    }
}

/// The events of one calendar.
#[derive(Clone)]
pub(crate) struct Api {
    http: Agent,
    events: Url,
    authorization: String,
    agent: String,
    now: DateTime<Utc>,
    cancel: CancellationToken,
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

impl Api {
    pub(crate) fn new(
        Http(http): &Http,
        api: Option<&Url>,
        calendar: &str,
        token: &AccessToken,
        ctx: &PollContext,
    ) -> Result<Self, PollerError> {
        let api = api.map_or("https://www.googleapis.com/calendar/v3", Url::as_str);
        let mut events = Url::parse(api).map_err(|_| PollerError::config("`api_url` is no URL"))?;
        let path = events.path_segments_mut().map(|mut path| {
            path.pop_if_empty().extend(["calendars", calendar, "events"]);
        });
        path.map_err(|()| PollerError::config("`api_url` has no path"))?;
        let (agent, cancel) = (ctx.agent_id.clone(), ctx.cancel.clone());
        Ok(Self { http: http.clone(), events, authorization: token.bearer(), agent, now: ctx.now, cancel })
    }

    /// What has changed since `sync_token`, else all there is; `None` where Google has forgotten the token.
    pub(crate) async fn events(&self, sync_token: Option<String>) -> Result<Option<Changes>, PollerError> {
        let api = self.clone();
        // The client blocks, so it gets a thread of its own.
        let pages = tokio::task::spawn_blocking(move || api.pages(sync_token.as_deref()));
        pages.await.transient("the request died")?
    }

    fn pages(&self, sync_token: Option<&str>) -> Result<Option<Changes>, PollerError> {
        let (mut events, mut place) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.events.clone();
            url.query_pairs_mut().extend_pairs([("singleEvents", "true"), ("maxResults", "2500")]);
            let named = [("syncToken", sync_token), ("pageToken", place.as_deref())];
            url.query_pairs_mut().extend_pairs(named.into_iter().filter_map(|(key, value)| Some((key, value?))));
            let Some(mut page) = self.get(&url)? else { return Ok(None) };
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

    /// A page; `None` where the sync token is not known any more.
    fn get(&self, url: &Url) -> Result<Option<Value>, PollerError> {
        let request = self.http.get(url.as_str()).header("authorization", &self.authorization);
        let mut response = request.call().transient("Google cannot be reached")?;
        let status = response.status().as_u16();
        let pause =
            response.headers().get("retry-after").and_then(|value| read_retry_after(value.to_str().ok()?, self.now));
        let answer = response.body_mut().with_config().limit(64 << 20).read_json::<Value>();
        let refused = |status| HttpStatus::new("Google", status).account(&self.agent, "google").retry_after(pause);
        match true_status(status, answer.as_ref().unwrap_or(&Value::Null)) {
            200 => Ok(Some(answer.transient("what Google answered is not JSON")?)),
            410 => Ok(None),
            404 => Err(refused(404).hint("check `calendar_id`").error()),
            status => Err(refused(status).error()),
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
