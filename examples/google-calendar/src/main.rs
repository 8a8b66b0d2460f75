//! Announces the events of a Google calendar that are new, changed or cancelled.
//!
//! ```text
//! cargo install google-calendar-poller     # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! google-calendar-poller schema            # the keys of its config
//! ```

mod api;

use nexo_google_auth::{Google, Http};
use nexo_poller::prelude::*;
use url::Url;

use crate::api::{EventFields, Events};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CalendarConfig {
    /// Which of the account's calendars.
    #[serde(default = "primary")]
    calendar_id: String,
    /// The message; `{summary}`, `{start}`, `{end}`, `{location}`, `{status}` and `{html_link}` are replaced.
    message_template: MessageTemplate<EventFields>,
    /// Whether events that were cancelled are left out.
    #[serde(default = "yes")]
    skip_cancelled: bool,
    /// Where announcements go.
    deliver: Deliver,
    /// Where the API is, if not at `https://www.googleapis.com/calendar/v3`.
    api_url: Option<Url>,
}

fn primary() -> String {
    "primary".to_owned()
}

const fn yes() -> bool {
    true
}

/// The cursor.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Where Google goes on.
    sync_token: Option<String>,
    /// The newest change that is known: what is told when Google has forgotten the token.
    newest: Option<DateTime<Utc>>,
}

/// Announces the events of a Google calendar that are new, changed or cancelled.
#[poller(kind = "google_calendar", publish = ["plugin.outbound.>"], tick_timeout_secs = 120)]
async fn google_calendar(
    ctx: &PollContext,
    Config(config): Config<CalendarConfig>,
    Cursor(seen): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    let google = Google::of(ctx, &http).await?;
    let events = Events::new(google, config.api_url.as_ref(), &config.calendar_id, &ctx.cancel)?;
    let (mut changes, mut forgotten) = (None, false);
    if let Some(token) = &seen.sync_token {
        changes = events.since(Some(token)).await?;
        forgotten = changes.is_none();
    }
    let changes = match changes {
        Some(changes) => changes,
        None => {
            events.since(None).await?.ok_or("410").transient("Google has forgotten a token that it was not shown")?
        }
    };
    let looked_at = changes.events.len();
    let newest = changes.events.iter().filter_map(|event| event.updated).max().max(seen.newest).unwrap_or(ctx.now);
    if forgotten {
        let told =
            "Google has forgotten the sync token: the whole calendar was read, and what has changed is announced";
        ctx.host.log(LogLevel::Warn, told.to_owned(), json!({ "calendar_id": config.calendar_id })).await?;
    }
    let is_news = |updated: Option<DateTime<Utc>>| match seen.newest {
        // The first look only notes what there is.
        None => false,
        Some(newest) => !forgotten || updated.is_some_and(|updated| updated > newest),
    };
    let news = changes.events.into_iter().filter(|event| is_news(event.updated));
    let news = news.filter(|event| !(config.skip_cancelled && event.fields["status"] == "cancelled"));
    // All before the first is sent: a template that does not fit leaves nothing half-told.
    let texts: Vec<_> = news.map(|event| config.message_template.fill_from(&event.fields)).collect::<Result<_, _>>()?;
    for text in &texts {
        config.deliver.send(ctx, text).await?;
    }
    let seen = Seen { sync_token: Some(changes.sync_token), newest: Some(newest) };
    Ok(TickAck::with_cursor(&seen)?.items(looked_at, texts.len()))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
