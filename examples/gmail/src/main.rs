//! Announces Gmail messages that a query finds, with fields cut out of their text.
//!
//! ```text
//! cargo install gmail-poller     # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! gmail-poller schema            # the keys of its config
//! ```

mod api;
mod config;
mod message;

use std::collections::VecDeque;
use std::time::Duration;

use nexo_google_auth::{Google, Http};
use nexo_poller::prelude::*;

use crate::api::Messages;
use crate::config::GmailConfig;
use crate::message::Message;

/// So many messages that were announced are remembered.
const REMEMBERED: usize = 1_000;

/// The cursor: the ids of the messages that were announced, newest last.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen(VecDeque<String>);

/// Announces Gmail messages that a query finds, with fields cut out of their text; marks them read afterwards.
#[poller(kind = "gmail", publish = ["plugin.outbound.>"], tick_timeout_secs = 300)]
async fn gmail(
    ctx: &PollContext,
    Config(GmailConfig(config)): Config<GmailConfig>,
    Cursor(Seen(mut seen)): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    let messages = Messages::new(Google::of(ctx, &http).await?, config.api_url.as_ref())?;
    let mut found = messages.list(&config.search()).await?;
    let looked_at = found.len();
    // Gmail lists the newest first.
    found.reverse();
    found.retain(|id| !seen.contains(id));
    let mut sent = 0;
    for id in found {
        if sent == config.max_per_tick.get() || ctx.cancel.is_cancelled() {
            break;
        }
        let message = Message::read(&messages.get(&id).await?);
        let Some(fields) = config.fields_of(&message) else { continue };
        let text = config.message_template.fill_from(&fields)?;
        if sent > 0 {
            // Channels refuse a burst.
            tokio::time::sleep(Duration::from_millis(config.dispatch_delay_ms)).await;
        }
        config.deliver.send(ctx, &text).await?;
        sent += 1;
        seen.push_back(id.clone());
        // Only now: a message that nobody was told of must not look as if somebody had read it.
        if config.mark_read_on_dispatch
            && let Err(error) = messages.mark_read(&id).await
        {
            let told = format!("a message was announced and could not be marked read: {error}");
            ctx.host.log(LogLevel::Warn, told, json!({ "message": id })).await?;
        }
    }
    seen.drain(..seen.len().saturating_sub(REMEMBERED));
    Ok(TickAck::with_cursor(&Seen(seen))?.items(looked_at, sent))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
