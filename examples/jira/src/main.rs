//! Announces the Jira issues that a JQL finds, whenever one changes.
//!
//! ```text
//! cargo install jira-poller       # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! jira-poller schema              # the keys of its config
//! ```

mod search;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use nexo_poller::prelude::*;
use url::Url;

use crate::search::{Api, Http, Jql, Search, identity};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JiraConfig {
    /// Where Jira is: `https://acme.atlassian.net`, or a server's address with its context path.
    base_url: Url,
    /// Which Jira it is: `cloud`, or `server` for Jira Server and Data Center.
    #[serde(default)]
    api: Api,
    /// Which issues are announced, without an ORDER BY.
    jql: Jql,
    /// The first tick announces what has changed after this time. Left out, it only notes what there is.
    since: Option<DateTime<Utc>>,
    /// More changes than this wait for the next tick.
    #[serde(default = "twenty")]
    max_per_tick: NonZeroUsize,
    /// The message; `{key}`, `{fields.summary}` or any other field of the issue is replaced.
    message_template: MessageTemplate<Issue>,
    /// Where announcements go.
    deliver: Deliver,
}

/// What a message can name.
struct Issue;

impl TemplateFields for Issue {
    const FIELDS: &'static [&'static str] = &["id", "key", "self", "expand", "fields.*", "json"];
}

const fn twenty() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(19)
}

/// The cursor.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Whatever changed up to this instant is done with.
    after: Option<DateTime<Utc>>,
    /// The later changes that were announced, by the issue's id.
    announced: BTreeMap<String, DateTime<Utc>>,
}

/// Jira's search lags behind its issues, and not by the same time for each: one that changed this much before the newest
/// may still turn up.
const LAG: Duration = Duration::from_secs(120);

/// Announces the Jira issues that a JQL finds, whenever one changes.
#[poller(kind = "jira", publish = ["plugin.outbound.>"], tick_timeout_secs = 120)]
async fn jira(
    ctx: &PollContext,
    Config(config): Config<JiraConfig>,
    Cursor(mut seen): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    let search = Search::new(&http, &config.base_url, config.api, ctx.credentials("jira").await?, &ctx.agent_id)?;
    let Some(after) = seen.after.or(config.since) else {
        let newest = search.newest(&config.jql).await?;
        return TickAck::with_cursor(&Seen { after: newest.or(Some(DateTime::UNIX_EPOCH)), ..seen });
    };

    let mut pages = search.changes(&config.jql, after, &config.message_template);
    let (mut looked_at, mut news) = (0, Vec::new());
    // A tick that is told to stop announces what it has found: the oldest changes come first.
    'pages: while !ctx.cancel.is_cancelled() {
        let Some(page) = pages.next().await? else { break };
        looked_at += page.len();
        for issue in page {
            let (id, updated) = identity(&issue)?;
            // JQL knows minutes only, and LAG reaches back: most of what is found again is known.
            if updated <= after || seen.announced.get(&id) == Some(&updated) {
                continue;
            }
            if news.len() == config.max_per_tick.get() {
                break 'pages;
            }
            seen.announced.insert(id, updated);
            news.push(issue);
        }
    }

    // All before the first is sent: a template that does not fit leaves nothing half-told.
    let texts = news.iter().map(|issue| config.message_template.fill_from(issue));
    for text in texts.collect::<Result<Vec<_>, _>>()? {
        config.deliver.send(ctx, &text).await?;
    }
    let after = seen.announced.values().max().map_or(after, |newest| after.max(*newest - LAG));
    seen.announced.retain(|_, updated| *updated > after);
    Ok(TickAck::with_cursor(&Seen { after: Some(after), ..seen })?.items(looked_at, news.len()))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
