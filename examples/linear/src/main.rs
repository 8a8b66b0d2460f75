//! Announces the issues of a Linear workspace, whenever one changes.
//!
//! ```text
//! cargo install linear-poller     # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! linear-poller schema            # the keys of its config
//! ```

mod api;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use nexo_poller::prelude::*;
use url::Url;

use crate::api::{Api, Http, IssueFields};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LinearConfig {
    /// Where the API is, if not at `https://api.linear.app/graphql`.
    api_url: Option<Url>,
    /// The key of a team, `ENG`: only its issues. Left out: those of every team that the account sees.
    team: Option<String>,
    /// The first tick announces what has changed after this time. Left out, it only notes what there is.
    since: Option<DateTime<Utc>>,
    /// More changes than this wait for the next tick.
    #[serde(default = "twenty")]
    max_per_tick: NonZeroUsize,
    /// The message; `{identifier}`, `{title}`, `{state.name}` and so on are replaced.
    message_template: MessageTemplate<IssueFields>,
    /// Where announcements go.
    deliver: Deliver,
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

/// A change is stamped before it can be seen: one that was made this much before the newest may still turn up.
const LAG: Duration = Duration::from_secs(30);

/// So many issues a page.
const PAGE: usize = 100;

/// Announces the issues of a Linear workspace, whenever one changes.
#[poller(kind = "linear", publish = ["plugin.outbound.>"], tick_timeout_secs = 120)]
async fn linear(
    ctx: &PollContext,
    Config(config): Config<LinearConfig>,
    Cursor(mut seen): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    let api = Api::new(&http, config.api_url.as_ref(), ctx.credentials("linear").await?, &ctx.agent_id, ctx.now)?;
    let mut filter = json!({});
    if let Some(team) = &config.team {
        filter["team"] = json!({"key": {"eq": team}});
    }
    let Some(after) = seen.after.or(config.since) else {
        let newest = api.issues(&filter, 1, None).await?.issues.first().map(|issue| issue.updated_at);
        return TickAck::with_cursor(&Seen { after: newest.or(Some(DateTime::UNIX_EPOCH)), ..seen });
    };

    // Linear lists the newest change first, so all of them are read before the oldest is known.
    filter["updatedAt"] = json!({"gte": after});
    let (mut news, mut looked_at, mut place) = (BTreeMap::new(), 0, None);
    loop {
        let page = api.issues(&filter, PAGE, place).await?;
        looked_at += page.issues.len();
        let new = page
            .issues
            .into_iter()
            .filter(|issue| issue.updated_at > after && seen.announced.get(&issue.id) != Some(&issue.updated_at));
        // One that stands on two pages, because others moved up meanwhile, is here once.
        news.extend(new.map(|issue| ((issue.updated_at, issue.id.clone()), issue)));
        place = page.next;
        if place.is_none() {
            break;
        }
        if ctx.cancel.is_cancelled() {
            return Err(PollerError::transient("the tick was told to stop before it had read all that has changed"));
        }
    }

    // All before the first is sent: a template that does not fit leaves nothing half-told.
    let announced: Vec<_> = news.into_iter().take(config.max_per_tick.get()).collect();
    let texts = announced.iter().map(|(_, issue)| config.message_template.fill_from(&issue.fields));
    for text in texts.collect::<Result<Vec<_>, _>>()? {
        config.deliver.send(ctx, &text).await?;
    }
    let sent = announced.len();
    seen.announced.extend(announced.into_iter().map(|((updated_at, id), _)| (id, updated_at)));
    let after = seen.announced.values().max().map_or(after, |newest| after.max(*newest - LAG));
    seen.announced.retain(|_, updated_at| *updated_at > after);
    Ok(TickAck::with_cursor(&Seen { after: Some(after), ..seen })?.items(looked_at, sent))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
