//! Linear's GraphQL API, as far as this poller needs it.

use std::time::Duration;

use nexo_poller::prelude::*;
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderValue};
use url::Url;

/// `teams` tells a team without news from a key that nobody has.
pub(crate) const QUERY: &str = "query($teams: TeamFilter, $issues: IssueFilter, $first: Int, $after: String) {
  teams(filter: $teams, first: 1) { nodes { key } }
  issues(filter: $issues, orderBy: updatedAt, first: $first, after: $after) {
    nodes {
      id identifier number title description url branchName priority priorityLabel estimate dueDate
      createdAt updatedAt startedAt completedAt canceledAt
      team { key name } state { name type } project { name url } cycle { number name }
      assignee { name displayName email } creator { name displayName email }
    }
    pageInfo { hasNextPage endCursor }
  }
}";

/// What of it a message can name.
pub(crate) struct IssueFields;

impl TemplateFields for IssueFields {
    #[rustfmt::skip]
    const FIELDS: &'static [&'static str] = &[
        "id", "identifier", "number", "title", "description", "url", "branchName", "priority", "priorityLabel", "estimate",
        "dueDate", "createdAt", "updatedAt", "startedAt", "completedAt", "canceledAt", "team.key", "team.name", "state.name",
        "state.type", "project.name", "project.url", "cycle.number", "cycle.name", "assignee.name", "assignee.displayName",
        "assignee.email", "creator.name", "creator.displayName", "creator.email", "json",
    ];
}

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

/// What the agent's account `linear` holds.
#[derive(Deserialize)]
#[serde(untagged, expecting = "neither an `api_key` is there nor a `token`")]
pub(crate) enum Account {
    ApiKey {
        api_key: String,
    },
    /// OAuth.
    Bearer {
        token: String,
    },
}

/// The API, on one account.
#[derive(Clone)]
pub(crate) struct Api {
    http: Agent,
    url: String,
    authorization: HeaderValue,
    /// Whose account it is.
    agent: String,
    now: DateTime<Utc>,
}

/// One page of issues, newest change first.
pub(crate) struct Page {
    pub(crate) issues: Vec<Issue>,
    /// Where the next begins; `None` on the last.
    pub(crate) next: Option<String>,
}

/// An issue.
pub(crate) struct Issue {
    pub(crate) id: String,
    pub(crate) updated_at: DateTime<Utc>,
    /// All that was asked for.
    pub(crate) fields: Value,
}

impl Api {
    pub(crate) fn new(
        Http(http): &Http,
        url: Option<&Url>,
        account: Account,
        agent: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, PollerError> {
        let authorization = match account {
            Account::ApiKey { api_key } => api_key,
            Account::Bearer { token } => format!("Bearer {token}"),
        };
        let authorization = HeaderValue::try_from(authorization).map_err(|_| {
            PollerError::config("the `api_key` for channel `linear` has characters that no header can hold")
        })?;
        let url = url.map_or("https://api.linear.app/graphql", Url::as_str).to_owned();
        Ok(Self { http: http.clone(), url, authorization, agent: agent.to_owned(), now })
    }

    /// The `first` issues that pass `filter`, from `place` on.
    pub(crate) async fn issues(
        &self,
        filter: &Value,
        first: usize,
        place: Option<String>,
    ) -> Result<Page, PollerError> {
        let team = filter["team"].clone();
        let variables = json!({"teams": team, "issues": filter, "first": first, "after": place});
        let (api, ask) = (self.clone(), json!({"query": QUERY, "variables": variables}));
        // The client blocks, so it gets a thread of its own.
        let mut data = tokio::task::spawn_blocking(move || api.post(&ask)).await.transient("the request died")??;
        if data["teams"]["nodes"].as_array().is_some_and(Vec::is_empty) {
            let key = &team["key"]["eq"];
            return Err(PollerError::config(format!(
                "`team`: the agent's account `linear` sees no team with the key {key}"
            )));
        }
        read_page(data["issues"].take()).transient("what Linear answered is no list of issues")
    }

    /// The `data` of the answer to `ask`.
    fn post(&self, ask: &Value) -> Result<Value, PollerError> {
        let request = self.http.post(&self.url).header("authorization", self.authorization.clone());
        let mut response = request.send_json(ask).transient("Linear cannot be reached")?;
        let pause = pause(response.headers(), self.now);
        let status = response.status().as_u16();
        let answer = response.body_mut().with_config().limit(32 << 20).read_json::<Value>();
        // Errors come with any status, 200 among them.
        let error = answer.as_ref().ok().and_then(|answer| answer["errors"].get(0));
        let code = error.and_then(|error| error["extensions"]["code"].as_str()).unwrap_or_default();
        let said = error.and_then(|error| error["message"].as_str()).unwrap_or("it does not say why");
        let refused = |status| {
            let refused = HttpStatus::new("Linear", status).account(&self.agent, "linear").retry_after(pause);
            Err(if status == 404 { refused.hint("check `api_url`") } else { refused }.error())
        };
        match code {
            // What it means, whichever status it came with.
            "AUTHENTICATION_ERROR" => refused(401),
            "FORBIDDEN" => refused(403),
            "RATELIMITED" => refused(429),
            "INPUT_ERROR" | "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED" => Err(PollerError::permanent(format!(
                "Linear does not understand the query ({said}): its API may have changed; look for a newer linear-poller"
            ))),
            _ if error.is_some() => Err(PollerError::transient(format!("Linear answered with an error: {said}"))),
            _ if status != 200 => refused(status),
            _ => Ok(answer.transient("what Linear answered is not JSON")?["data"].take()),
        }
    }
}

/// How long Linear wants to be left alone: for `Retry-After`, or until the budget that is used up is filled again.
fn pause(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let reset = |budget: &str| {
        let left = number(&format!("x-ratelimit-{budget}-remaining"))?;
        number(&format!("x-ratelimit-{budget}-reset")).filter(|_| left <= 0)
    };
    let until_filled = || Some(reset("requests").max(reset("complexity"))? - now.timestamp_millis());
    let asked_for = headers.get("retry-after").and_then(|value| read_retry_after(value.to_str().ok()?, now));
    asked_for.or_else(|| Some(Duration::from_millis(u64::try_from(until_filled()?).unwrap_or_default())))
}

fn read_page(mut connection: Value) -> Result<Page, &'static str> {
    let Value::Array(nodes) = connection["nodes"].take() else { return Err("it has no `nodes`") };
    let issue = |fields: Value| {
        let id = fields["id"].as_str().ok_or("one has no `id`")?.to_owned();
        let updated_at = fields["updatedAt"].as_str().and_then(|time| time.parse().ok());
        Ok(Issue { id, updated_at: updated_at.ok_or("one has no time in `updatedAt`")?, fields })
    };
    let page = &connection["pageInfo"];
    let next = page["endCursor"].as_str().filter(|_| page["hasNextPage"] == true).map(str::to_owned);
    Ok(Page { issues: nodes.into_iter().map(issue).collect::<Result<_, &str>>()?, next })
}
