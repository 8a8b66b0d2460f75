use std::fmt;
use std::time::Duration;

use nexo_poller::prelude::*;
use ureq::Agent;
use ureq::http::{Method, Request, Response};
use url::Url;

use crate::{AccessToken, access_token};

/// Google answers within this time, or the tick tries again later.
const PATIENCE: Duration = Duration::from_secs(20);
/// No answer is read beyond so many bytes.
const LONGEST: u64 = 64 << 20;

/// An HTTP client with its connections: a poller's [`State`], so that all jobs of the process share it.
#[derive(Debug, Clone)]
pub struct Http(pub(crate) Agent);

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE));
        Self(config.http_status_as_error(false).max_redirects(0).build().into())
    }
}

/// Google's APIs, in the name of an agent's account `google`.
#[derive(Debug, Clone)]
pub struct Google {
    http: Http,
    token: AccessToken,
    agent: String,
    now: DateTime<Utc>,
}

impl Google {
    /// For the agent of the tick, with an access token that is good for a minute at least.
    ///
    /// # Errors
    /// Those of [`access_token`]; a config error where the agent has no such account.
    pub async fn of(ctx: &PollContext, http: &Http) -> Result<Self, PollerError> {
        let token = access_token(ctx.credentials("google").await?, &ctx.agent_id, ctx.now).await?;
        Ok(Self { http: http.clone(), token, agent: ctx.agent_id.clone(), now: ctx.now })
    }

    /// What is there.
    ///
    /// # Errors
    /// A transient one where Google cannot be reached; a status that refuses is an [`Answer`].
    pub async fn get(&self, url: Url) -> Result<Answer, PollerError> {
        self.send(Method::GET, url, None).await
    }

    /// Sends `body` there.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn post(&self, url: Url, body: Value) -> Result<Answer, PollerError> {
        self.send(Method::POST, url, Some(body)).await
    }

    async fn send(&self, method: Method, url: Url, body: Option<Value>) -> Result<Answer, PollerError> {
        let google = self.clone();
        // The client blocks, so it gets a thread of its own.
        let answer = tokio::task::spawn_blocking(move || google.send_blocking(&method, &url, body.as_ref()));
        answer.await.transient("the request died")?
    }

    fn send_blocking(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, PollerError> {
        let request = Request::builder().method(method).uri(url.as_str()).header("authorization", self.token.bearer());
        let sent = match body {
            None => request.body(()).map(|request| self.http.0.run(request)),
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string())
                .map(|request| self.http.0.run(request)),
        };
        let sent = sent.map_err(|_| PollerError::config("the access token has characters that no header can hold"))?;
        let mut response = sent.transient("Google cannot be reached")?;
        let pause = retry_after(&response, self.now);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_json::<Value>();
        let status = true_status(status, body.as_ref().unwrap_or(&Value::Null));
        Ok(Answer { status, body, pause, agent: self.agent.clone() })
    }
}

/// What Google has said.
pub struct Answer {
    status: u16,
    body: Result<Value, ureq::Error>,
    pause: Option<Duration>,
    agent: String,
}

/// Shows no body.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("pause", &self.pause)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The HTTP status that it deserves: a quota that is used up comes as 403, and is no lack of permission but a 429.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The JSON of an answer that grants what was asked.
    ///
    /// # Errors
    /// What the status stands for, where it is not 200; a transient error where the body is not JSON.
    pub fn json(self) -> Result<Value, PollerError> {
        match self.status {
            200 => self.body.transient("what Google answered is not JSON"),
            _ => Err(self.refused().error()),
        }
    }

    /// The error of an answer that refuses, for a hint to be added to it.
    pub fn refused(&self) -> HttpStatus<'_> {
        HttpStatus::new("Google", self.status).account(&self.agent, "google").retry_after(self.pause)
    }
}

/// How long Google wants to be left alone.
pub(crate) fn retry_after<B>(response: &Response<B>, now: DateTime<Utc>) -> Option<Duration> {
    response.headers().get("retry-after").and_then(|value| read_retry_after(value.to_str().ok()?, now))
}

fn true_status(status: u16, answer: &Value) -> u16 {
    let reason = answer["error"]["errors"][0]["reason"].as_str().unwrap_or_default();
    let used_up = ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"];
    if status == 403 && used_up.contains(&reason) { 429 } else { status }
}

/// The address `path` below `api`, or below `google` where there is none.
///
/// # Errors
/// A config error where nothing can be below `api`.
///
/// ```
/// let url = nexo_google_auth::address(None, "https://www.googleapis.com/calendar/v3", &["calendars", "a/b", "events"]);
/// assert_eq!(url?.as_str(), "https://www.googleapis.com/calendar/v3/calendars/a%2Fb/events");
/// # Ok::<(), nexo_poller::prelude::PollerError>(())
/// ```
pub fn address(api: Option<&Url>, google: &str, path: &[&str]) -> Result<Url, PollerError> {
    let mut url =
        Url::parse(api.map_or(google, Url::as_str)).map_err(|_| PollerError::config("`api_url` is no URL"))?;
    let extended = url.path_segments_mut().map(|mut segments| {
        segments.pop_if_empty().extend(path);
    });
    extended.map_err(|()| PollerError::config("`api_url` has no path"))?;
    Ok(url)
}
