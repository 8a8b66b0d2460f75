//! Gmail's API, as far as this poller needs it.

use std::time::Duration;

use nexo_google_auth::{AccessToken, true_status};
use nexo_poller::prelude::*;
use ureq::Agent;
use ureq::http::{Method, Request};
use url::Url;

/// More messages than this are not listed: the newest of them wait until others were read.
const MOST_LISTED: usize = 5_000;

/// One HTTP client, with its connections, for all jobs of the process.
pub(crate) struct Http(Agent);

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        Self(config.http_status_as_error(false).max_redirects(0).build().into())
    }
}

/// The messages of one account.
#[derive(Clone)]
pub(crate) struct Api {
    http: Agent,
    messages: Url,
    authorization: String,
    agent: String,
    now: DateTime<Utc>,
}

impl Api {
    pub(crate) fn new(
        Http(http): &Http,
        api: Option<&Url>,
        token: &AccessToken,
        ctx: &PollContext,
    ) -> Result<Self, PollerError> {
        let api = api.map_or("https://gmail.googleapis.com/gmail/v1", Url::as_str);
        let messages = Url::parse(&format!("{}/users/me/messages", api.trim_end_matches('/')));
        let messages = messages.map_err(|_| PollerError::config("`api_url` is no URL"))?;
        let agent = ctx.agent_id.clone();
        Ok(Self { http: http.clone(), messages, authorization: token.bearer(), agent, now: ctx.now })
    }

    /// The ids of the messages that `query` finds, newest first.
    pub(crate) async fn list(&self, query: &str) -> Result<Vec<String>, PollerError> {
        let (mut ids, mut place) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.messages.clone();
            url.query_pairs_mut().extend_pairs([("q", query), ("maxResults", "500")]);
            url.query_pairs_mut().extend_pairs(place.iter().map(|place| ("pageToken", place)));
            let page = self.send(Method::GET, url, None).await?;
            // Where nothing is found, there is no list.
            let found = page["messages"].as_array().into_iter().flatten();
            ids.extend(found.filter_map(|message| message["id"].as_str().map(str::to_owned)));
            place = page["nextPageToken"].as_str().map(str::to_owned);
            if place.is_none() || ids.len() >= MOST_LISTED {
                return Ok(ids);
            }
        }
    }

    /// A message, whole.
    pub(crate) async fn get(&self, id: &str) -> Result<Value, PollerError> {
        let mut url = self.of(&[id])?;
        url.query_pairs_mut().append_pair("format", "full");
        self.send(Method::GET, url, None).await
    }

    /// Takes the label away that makes a message unread.
    pub(crate) async fn mark_read(&self, id: &str) -> Result<(), PollerError> {
        let url = self.of(&[id, "modify"])?;
        self.send(Method::POST, url, Some(json!({ "removeLabelIds": ["UNREAD"] }))).await.map(drop)
    }

    fn of(&self, path: &[&str]) -> Result<Url, PollerError> {
        let mut url = self.messages.clone();
        let extended = url.path_segments_mut().map(|mut segments| {
            segments.extend(path);
        });
        extended.map_err(|()| PollerError::config("`api_url` has no path"))?;
        Ok(url)
    }

    async fn send(&self, method: Method, url: Url, body: Option<Value>) -> Result<Value, PollerError> {
        let api = self.clone();
        // The client blocks, so it gets a thread of its own.
        let answer = tokio::task::spawn_blocking(move || api.send_blocking(method, &url, body));
        answer.await.transient("the request died")?
    }

    fn send_blocking(&self, method: Method, url: &Url, body: Option<Value>) -> Result<Value, PollerError> {
        let request = Request::builder().method(method).uri(url.as_str()).header("authorization", &self.authorization);
        let sent = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map(|request| self.http.run(request)),
            None => request.body(()).map(|request| self.http.run(request)),
        };
        let sent = sent.map_err(|_| PollerError::config("the access token has characters that no header can hold"))?;
        let mut response = sent.transient("Gmail cannot be reached")?;
        let status = response.status().as_u16();
        let pause =
            response.headers().get("retry-after").and_then(|value| read_retry_after(value.to_str().ok()?, self.now));
        let answer = response.body_mut().with_config().limit(64 << 20).read_json::<Value>();
        match true_status(status, answer.as_ref().unwrap_or(&Value::Null)) {
            200 => answer.transient("what Gmail answered is not JSON"),
            status => Err(HttpStatus::new("Gmail", status).account(&self.agent, "google").retry_after(pause).error()),
        }
    }
}
