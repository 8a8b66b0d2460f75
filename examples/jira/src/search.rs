//! Jira's search, as far as this poller needs it.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nexo_poller::prelude::*;
use ureq::Agent;
use ureq::http::HeaderValue;
use url::Url;

use crate::Issue;

/// Which Jira it is.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Api {
    /// Jira Cloud.
    #[default]
    Cloud,
    /// Jira Server and Data Center.
    Server,
}

/// A JQL that can be narrowed and sorted by the poller.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct Jql(String);

impl TryFrom<String> for Jql {
    type Error = &'static str;

    fn try_from(jql: String) -> Result<Self, Self::Error> {
        let bare = unquoted(&jql).to_lowercase();
        let words = bare.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        if jql.trim().is_empty() {
            return Err("must not be empty: it says which issues are announced");
        }
        if words.clone().zip(words.skip(1)).any(|pair| pair == ("order", "by")) {
            return Err("must have no ORDER BY: changes are announced in the order in which they were made");
        }
        Ok(Self(jql))
    }
}

/// `jql` without what stands in quotes, which may be anything.
fn unquoted(jql: &str) -> String {
    let (mut bare, mut quote, mut escaped) = (String::new(), None, false);
    for c in jql.chars() {
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => bare.push(c),
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
        }
    }
    bare
}

/// One HTTP client, with its connections, for all jobs of the process.
pub(crate) struct Http(Agent);

impl Http {
    pub(crate) fn with_timeout(timeout: Duration) -> Self {
        // A redirect leads to a login page, and would be taken for an answer.
        let config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false).max_redirects(0);
        Self(config.build().into())
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::with_timeout(Duration::from_secs(20))
    }
}

/// What the agent's account `jira` holds.
#[derive(Deserialize)]
#[serde(untagged, expecting = "neither `email` and `api_token` are there nor `token`")]
pub(crate) enum Account {
    /// Cloud.
    ApiToken { email: String, api_token: String },
    /// A personal access token of a server.
    Bearer { token: String },
}

/// The search of one Jira, on one account.
#[derive(Clone)]
pub(crate) struct Search {
    http: Agent,
    url: String,
    authorization: HeaderValue,
    /// Whose account it is.
    agent: String,
}

/// Issues as Jira shows them, and where the next are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    issues: Vec<Value>,
    /// Cloud; absent on the last page.
    next_page_token: Option<String>,
    /// Server.
    #[serde(default)]
    start_at: usize,
    #[serde(default)]
    total: usize,
}

/// Pages of issues, one after the other.
pub(crate) struct Pages {
    search: Search,
    /// `None` after the last.
    ask: Option<Value>,
}

/// So many issues a page.
const PAGE: usize = 100;

/// A server counts pages by position. An issue that changes while they are read moves to the end, and those behind it move
/// up: pages overlap by this much.
const OVERLAP: usize = 10;

impl Search {
    pub(crate) fn new(
        Http(http): &Http,
        base_url: &Url,
        api: Api,
        account: Account,
        agent: &str,
    ) -> Result<Self, PollerError> {
        let path = match api {
            Api::Cloud => "rest/api/3/search/jql",
            Api::Server => "rest/api/2/search",
        };
        let authorization = match account {
            Account::ApiToken { email, api_token } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{email}:{api_token}")))
            }
            Account::Bearer { token } => format!("Bearer {token}"),
        };
        let authorization = HeaderValue::try_from(authorization).map_err(|_| {
            PollerError::config("the `token` for channel `jira` has characters that no header can hold")
        })?;
        let url = format!("{}/{path}", base_url.as_str().trim_end_matches('/'));
        Ok(Self { http: http.clone(), url, authorization, agent: agent.to_owned() })
    }

    /// When the newest change was made.
    pub(crate) async fn newest(&self, Jql(jql): &Jql) -> Result<Option<DateTime<Utc>>, PollerError> {
        let jql = format!("({jql}) ORDER BY updated DESC");
        let page = self.page(json!({"jql": jql, "fields": ["updated"], "maxResults": 1})).await?;
        page.issues.first().map(|issue| identity(issue).map(|(_, updated)| updated)).transpose()
    }

    /// What has changed `after` an instant, or shortly before, oldest change first, with the fields that `template` names.
    pub(crate) fn changes(&self, Jql(jql): &Jql, after: DateTime<Utc>, template: &MessageTemplate<Issue>) -> Pages {
        // A number is an instant; a date would be read in the time zone of the account.
        let jql = format!("({jql}) AND updated >= {} ORDER BY updated ASC", after.timestamp_millis());
        let named = template.fields().filter_map(|name| match name {
            "json" => Some("*navigable"),
            _ => name.strip_prefix("fields.")?.split('.').next(),
        });
        let fields: Vec<&str> = named.chain(["updated"]).collect();
        Pages { search: self.clone(), ask: Some(json!({"jql": jql, "fields": fields, "maxResults": PAGE})) }
    }

    async fn page(&self, ask: Value) -> Result<Page, PollerError> {
        // The client blocks, so it gets a thread of its own.
        let search = self.clone();
        tokio::task::spawn_blocking(move || search.post(&ask)).await.transient("the search died")?
    }

    fn post(&self, ask: &Value) -> Result<Page, PollerError> {
        let request = self.http.post(&self.url).header("authorization", self.authorization.clone());
        let mut response = request.send_json(ask).transient("Jira cannot be reached")?;
        let pause = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let pause = pause.and_then(|value| read_retry_after(value, Utc::now()));
        let (status, body) = (response.status().as_u16(), response.body_mut().with_config().limit(32 << 20));
        let refused = HttpStatus::new("Jira", status).account(&self.agent, "jira").retry_after(pause);
        let refused = match status {
            200 => return body.read_json().transient("what Jira answered is no list of issues"),
            400 => {
                let reasons = reasons(&body.read_json().unwrap_or_default());
                return Err(PollerError::config(format!("Jira refuses the search: {reasons}")));
            }
            300..400 => refused.hint("check `base_url`"),
            403 => refused.hint("give them access, or log in once to solve a captcha"),
            404 => refused.hint("check `base_url` and `api` (cloud or server)"),
            _ => refused,
        };
        Err(refused.error())
    }
}

impl Pages {
    /// The next page; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, PollerError> {
        let Some(mut ask) = self.ask.take() else { return Ok(None) };
        let page = self.search.page(ask.clone()).await?;
        let end = page.start_at + page.issues.len();
        if let Some(token) = page.next_page_token {
            ask["nextPageToken"] = token.into();
            self.ask = Some(ask);
        } else if !page.issues.is_empty() && end < page.total {
            ask["startAt"] = end.saturating_sub(OVERLAP).max(page.start_at + 1).into();
            self.ask = Some(ask);
        }
        Ok(Some(page.issues))
    }
}

/// An issue's id, and when it changed last.
pub(crate) fn identity(issue: &Value) -> Result<(String, DateTime<Utc>), PollerError> {
    let time = issue["fields"]["updated"].as_str().unwrap_or_default();
    // Not quite RFC 3339: `2026-11-23T08:15:00.123+0000`.
    match (issue["id"].as_str(), DateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f%z")) {
        (Some(id), Ok(updated)) => Ok((id.to_owned(), updated.to_utc())),
        _ => {
            Err(PollerError::transient("Jira answered with an issue that has no `id`, or no time in `fields.updated`"))
        }
    }
}

/// What Jira says is wrong.
fn reasons(answer: &Value) -> String {
    let reasons = answer["errorMessages"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let reasons = reasons.collect::<Vec<_>>().join(" ");
    if reasons.is_empty() { "it does not say why; check `jql`".to_owned() } else { reasons }
}
