//! {{description}}
//!
//! ```text
//! cargo run --example service        # a recorded service, and the command for one tick against it
//! ```

mod client;

use nexo_poller::prelude::*;
use url::Url;

use crate::client::{Client, Item};

/// What an operator writes under `config:`. Unknown keys are refused with a message that lists the known ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct {{kind | upper_camel_case}}Config {
    /// Where the service is, with a slash at its end: `https://api.example.org/v1/`.
    base_url: Url,
    /// Where the announcements go.
    #[serde(default = "console")]
    deliver: Deliver,
}

fn console() -> Deliver {
    Deliver::new("console", "me")
}

/// The cursor: the newest item that was announced.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Announced {
    up_to: u64,
}

/// More pages than these wait for the next tick, which then comes soon.
const MOST_PAGES: usize = 10;

/// {{description}}
#[poller(kind = "{{kind}}", publish = ["plugin.outbound.>"]{% if lifecycle == "ephemeral" %}, lifecycle = "ephemeral"{% endif %})]
async fn {{kind}}(
    ctx: &PollContext,
    Config(config): Config<{{kind | upper_camel_case}}Config>,
    Cursor(Announced { up_to }): Cursor<Announced>,
    State(client): State<Client>,
) -> Result<TickAck, PollerError> {
    // The client blocks, so it gets a thread of its own.
    let (client, base_url, now) = (Client::clone(&client), config.base_url, ctx.now);
    let fetched = tokio::task::spawn_blocking(move || news(&client, &base_url, up_to, now));
    let (items, more) = fetched.await.transient("fetching died")??;
    for item in &items {
        // Awaited one by one: where a publish fails, `?` ends the tick, the cursor stays, and nothing is lost.
        config
            .deliver
            .send(ctx, &format!("#{} {}", item.id, item.title))
            .await?;
    }
    let up_to = items.iter().map(|item| item.id).max().unwrap_or(up_to);
    let ack = TickAck::with_cursor(&Announced { up_to })?.items(items.len(), items.len());
    Ok(if more {
        ack.next_in(std::time::Duration::from_secs(1))
    } else {
        ack
    })
}

/// What came after the item `up_to`, and whether there is more of it.
fn news(
    client: &Client,
    base_url: &Url,
    up_to: u64,
    now: DateTime<Utc>,
) -> Result<(Vec<Item>, bool), PollerError> {
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = client.items(base_url, up_to, next.as_deref(), now)?;
        // A service may count "after" differently than we do.
        items.extend(page.items.into_iter().filter(|item| item.id > up_to));
        next = page.next;
        if next.is_none() {
            return Ok((items, false));
        }
    }
    Ok((items, true))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
