//! Announces the events of a Stripe account.
//!
//! ```text
//! cargo install stripe-poller     # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! stripe-poller schema            # the keys of its config
//! ```

mod api;

use std::num::NonZeroUsize;

use nexo_poller::prelude::*;
use url::Url;

use crate::api::{Api, Http, Page};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StripeConfig {
    /// Where the API is, if not at `https://api.stripe.com`.
    api_url: Option<Url>,
    /// Only events of these types, `charge.refunded`, at most 20. Left out: all.
    #[serde(default)]
    types: Vec<String>,
    /// The first tick announces all events that Stripe still has. Otherwise it only notes the newest.
    #[serde(default)]
    announce_existing: bool,
    /// More events than this wait for the next tick.
    #[serde(default = "twenty")]
    max_per_tick: NonZeroUsize,
    /// The message; `{type}`, `{data.object.amount}` or any other field of the event is replaced.
    message_template: MessageTemplate,
    /// Where announcements go.
    deliver: Deliver,
}

const fn twenty() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(19)
}

/// The cursor: the newest event that is done with.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Last {
    /// `None`: there was none yet.
    id: Option<String>,
    /// When it was created, in seconds.
    created: i64,
}

/// Announces the events of a Stripe account.
#[poller(kind = "stripe", publish = ["plugin.outbound.>"], tick_timeout_secs = 120)]
async fn stripe(
    ctx: &PollContext,
    Config(config): Config<StripeConfig>,
    Cursor(last): Cursor<Option<Last>>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    let account = ctx.credentials("stripe").await?;
    let api = Api::new(&http, config.api_url.as_ref(), &account, &ctx.agent_id, &config.types)?;
    let last = match last {
        Some(last) => last,
        None if config.announce_existing => Last::default(),
        None => {
            let newest = api.newest().await?.map(|event| Last { id: Some(event.id), created: event.created });
            return TickAck::with_cursor(&newest.unwrap_or_default());
        }
    };

    let mut page = first_page(ctx, &api, &last).await?;
    let (most, mut news) = (config.max_per_tick.get(), Vec::new());
    loop {
        news.extend(page.events.into_iter().rev());
        // A tick that is told to stop announces what it has found: the oldest events come first.
        page = match news.last() {
            Some(newest) if page.more && news.len() < most && !ctx.cancel.is_cancelled() => {
                api.following(&newest.id).await?.unwrap_or_default()
            }
            _ => break,
        };
    }
    let found = news.len();
    news.truncate(most);

    // All before the first is sent: a template that does not fit leaves nothing half-told.
    let texts = news.iter().map(|event| config.message_template.fill_from(&event.fields));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let topic = config.deliver.topic(ctx).await?;
    for (event, text) in news.iter().zip(texts) {
        // A message's id is made of its payload, among others. With Stripe's id in it two events never share one, however
        // alike their texts are, and a repeat is known by it downstream.
        let message = json!({"to": config.deliver.to, "text": text, "event_id": event.id});
        ctx.publish(&topic, &message).await?;
    }
    let last = news.pop().map_or(last, |event| Last { id: Some(event.id), created: event.created });
    Ok(TickAck::with_cursor(&last)?.items(found, most.min(found)))
}

/// The page that follows `last`.
async fn first_page(ctx: &PollContext, api: &Api, last: &Last) -> Result<Page, PollerError> {
    if let Some(id) = &last.id {
        if let Some(page) = api.following(id).await? {
            return Ok(page);
        }
        let message = format!("Stripe no longer knows the event {id}: going on with the oldest that came after it");
        // The tick does not depend on who hears it.
        ctx.log(LogLevel::Warn, message, json!({"created": last.created})).await.ok();
    }
    // Where the last event has left Stripe, all events of its second have.
    let mut page = api.created_after(last.created, None).await?;
    while page.more
        && let Some(oldest) = page.events.last()
    {
        if ctx.cancel.is_cancelled() {
            return Err(PollerError::transient("the tick was told to stop before it had found the oldest event"));
        }
        page = api.created_after(last.created, Some(&oldest.id)).await?;
    }
    // There may be newer ones than those of the oldest page.
    Ok(Page { more: true, ..page })
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
