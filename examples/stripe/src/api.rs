//! Stripe's list of events, as far as this poller needs it.

use std::time::Duration;

use nexo_poller::prelude::*;
use ureq::Agent;
use ureq::http::HeaderValue;
use url::Url;

/// One HTTP client, with its connections, for all jobs of the process.
pub(crate) struct Http(Agent);

impl Http {
    pub(crate) fn with_timeout(timeout: Duration) -> Self {
        let config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false).max_redirects(0);
        Self(config.build().into())
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::with_timeout(Duration::from_secs(20))
    }
}

/// What the agent's account `stripe` holds.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) secret_key: String,
}

/// The list of events, on one account.
#[derive(Clone)]
pub(crate) struct Api {
    http: Agent,
    url: String,
    authorization: HeaderValue,
    /// Whose account it is.
    agent: String,
    /// The parameters that say which events.
    types: Vec<(String, String)>,
}

/// Events, newest first.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    /// In the direction that was asked for.
    pub(crate) more: bool,
}

pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) fields: Value,
}

impl Api {
    pub(crate) fn new(
        Http(http): &Http,
        url: Option<&Url>,
        account: &Account,
        agent: &str,
        types: &[String],
    ) -> Result<Self, PollerError> {
        let authorization = HeaderValue::try_from(format!("Bearer {}", account.secret_key)).map_err(|_| {
            PollerError::config("the `secret_key` for channel `stripe` has characters that no header can hold")
        })?;
        let url = url.map_or("https://api.stripe.com", Url::as_str).trim_end_matches('/');
        let types = types.iter().enumerate().map(|(index, name)| (format!("types[{index}]"), name.clone())).collect();
        Ok(Self { http: http.clone(), url: format!("{url}/v1/events"), authorization, agent: agent.to_owned(), types })
    }

    /// The newest event.
    pub(crate) async fn newest(&self) -> Result<Option<Event>, PollerError> {
        let page = self.list(&[("limit", "1")]).await?.unwrap_or_default();
        Ok(page.events.into_iter().next())
    }

    /// The events next after the one with this id; `None` where Stripe does not know it.
    pub(crate) async fn following(&self, id: &str) -> Result<Option<Page>, PollerError> {
        self.list(&[("limit", "100"), ("ending_before", id)]).await
    }

    /// The newest events that were created after `created`, in seconds; those before `older_than`, if that is an id.
    pub(crate) async fn created_after(&self, created: i64, older_than: Option<&str>) -> Result<Page, PollerError> {
        let created = created.to_string();
        let mut which = vec![("limit", "100"), ("created[gt]", created.as_str())];
        which.extend(older_than.map(|id| ("starting_after", id)));
        Ok(self.list(&which).await?.unwrap_or_default())
    }

    async fn list(&self, which: &[(&str, &str)]) -> Result<Option<Page>, PollerError> {
        let which = which.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let which: Vec<_> = which.chain(self.types.iter().cloned()).collect();
        // The client blocks, so it gets a thread of its own.
        let api = self.clone();
        tokio::task::spawn_blocking(move || api.get(which)).await.transient("the request died")?
    }

    /// A page; `None` where an id in the question is unknown.
    fn get(&self, which: Vec<(String, String)>) -> Result<Option<Page>, PollerError> {
        let request = self.http.get(&self.url).query_pairs(which).header("authorization", self.authorization.clone());
        let mut response = request.call().transient("Stripe cannot be reached")?;
        let pause = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let pause = pause.and_then(|value| read_retry_after(value, Utc::now()));
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(32 << 20).read_json::<Value>();
        let error = answer.as_ref().map(|answer| &answer["error"]).unwrap_or(&Value::Null);
        let refused = HttpStatus::new("Stripe", status).account(&self.agent, "stripe").retry_after(pause);
        let refused = match status {
            200 => return page(answer.transient("what Stripe answered is not JSON")?).map(Some),
            400 | 404 if error["code"] == "resource_missing" => return Ok(None),
            400 => {
                let reason = error["message"].as_str().unwrap_or("it does not say why; check `types`");
                return Err(PollerError::config(format!("Stripe refuses the question: {reason}")));
            }
            403 => refused.hint("allow the key to read events, in Stripe's dashboard"),
            404 => refused.hint("check `api_url`"),
            _ => refused,
        };
        Err(refused.error())
    }
}

fn page(mut answer: Value) -> Result<Page, PollerError> {
    let Value::Array(events) = answer["data"].take() else {
        return Err(PollerError::transient("what Stripe answered is no list of events"));
    };
    let event = |fields: Value| match (fields["id"].as_str(), fields["created"].as_i64()) {
        (Some(id), Some(created)) => Ok(Event { id: id.to_owned(), created, fields }),
        _ => Err(PollerError::transient("Stripe answered with an event that has no `id`, or no time in `created`")),
    };
    let more = answer["has_more"] == true;
    Ok(Page { events: events.into_iter().map(event).collect::<Result<_, _>>()?, more })
}
