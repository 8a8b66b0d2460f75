//! Announces new entries of a feed: RSS, Atom or JSON Feed.
//!
//! ```text
//! cargo install rss-poller        # then put it into the daemon's `plugins:` folder; see pollers.example.yaml
//! rss-poller once --config '{"feed_url": "https://blog.rust-lang.org/feed.xml", "deliver": {"channel": "console", "to": "me"}}'
//! ```

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use feed_rs::model::Entry;
use nexo_poller::prelude::*;
use ureq::Agent;
use url::Url;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RssConfig {
    feed_url: Url,
    /// Where announcements go.
    deliver: Deliver,
    /// More new entries than this wait for the next tick.
    #[serde(default = "five")]
    max_per_tick: usize,
    /// `{title}`, `{link}` and `{summary}` are replaced.
    #[serde(default = "title_and_link")]
    message_template: MessageTemplate<EntryFields>,
}

fn five() -> usize {
    5
}

fn title_and_link() -> MessageTemplate<EntryFields> {
    MessageTemplate::from_static("{title}\n{link}")
}

/// What a message can name of an entry.
struct EntryFields;

impl TemplateFields for EntryFields {
    const FIELDS: &'static [&'static str] = &["title", "link", "summary"];
}

/// What was announced, and the version of the feed that held nothing else.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    ids: Vec<String>,
    etag: Option<String>,
}

/// As many entries of a feed are looked at, and as many ids remembered: what is looked at is never forgotten.
const SEEN: usize = 200;

/// One HTTP client, with its connections, for all jobs of the process.
struct Http(Agent);

impl Default for Http {
    fn default() -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).http_status_as_error(false);
        Self(config.build().into())
    }
}

/// Announces new entries of RSS, Atom and JSON feeds.
#[poller(kind = "rss", publish = ["plugin.outbound.>"])]
async fn rss(
    ctx: &PollContext,
    Config(config): Config<RssConfig>,
    Cursor(seen): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    // The client blocks and a long feed takes a while to read, so both get a thread of their own.
    let (url, old, now) = (config.feed_url, seen.etag, ctx.now);
    let fetched = tokio::task::spawn_blocking(move || {
        let Some((body, etag)) = fetch(&http.0, &url, old.as_deref(), now)? else { return Ok(None) };
        Ok::<_, PollerError>(Some((newest(&body)?, etag)))
    });
    let Some((entries, etag)) = fetched.await.transient("fetching died")?? else { return Ok(TickAck::new()) };

    let known: HashSet<&String> = seen.ids.iter().collect();
    let news: Vec<&Entry> = entries.iter().filter(|entry| !known.contains(&entry.id)).rev().collect();
    let announced = &news[..news.len().min(config.max_per_tick)];
    for entry in announced {
        let fields = json!({
            "title": entry.title.as_ref().map_or("(untitled)", |title| &title.content),
            "link": entry.links.first().map_or("", |link| &link.href),
            "summary": entry.summary.as_ref().map_or("", |summary| &summary.content),
        });
        let text = config.message_template.fill_from(&fields)?;
        config.deliver.send(ctx, &text).await?;
    }

    // An unchanged feed is not read again, so its version counts as seen only when nothing of it is left to announce.
    let etag = etag.filter(|_| announced.len() == news.len());
    let current = entries.iter().filter(|entry| known.contains(&entry.id)).chain(announced.iter().copied());
    let gone = seen.ids.iter().filter(|id| entries.iter().all(|entry| entry.id != **id));
    let ids = current.map(|entry| &entry.id).chain(gone).take(SEEN).cloned().collect();
    Ok(TickAck::with_cursor(&Seen { ids, etag })?.items(entries.len(), announced.len()))
}

/// The newest entries of a feed, newest first; those without a date keep the feed's order.
fn newest(feed: &[u8]) -> Result<Vec<Entry>, PollerError> {
    let mut entries = feed_rs::parser::parse(feed).transient("the answer is not a feed")?.entries;
    entries.sort_by_key(|entry| Reverse(entry.published.or(entry.updated)));
    entries.truncate(SEEN);
    Ok(entries)
}

/// A feed and its ETag.
type Version = (Vec<u8>, Option<String>);

/// The feed, unless it is still the `old` one. Errors do not show the address: it may hold a key.
fn fetch(http: &Agent, url: &Url, old: Option<&str>, now: DateTime<Utc>) -> Result<Option<Version>, PollerError> {
    let request = old.into_iter().fold(http.get(url.as_str()), |request, etag| request.header("if-none-match", etag));
    let mut response = request.call().transient("the feed cannot be fetched")?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, etag) = (response.status().as_u16(), header("etag"));
    let pause = header("retry-after").and_then(|pause| read_retry_after(&pause, now));
    match status {
        304 => Ok(None),
        200..300 => {
            let body = response.body_mut().with_config().limit(64 << 20).read_to_vec();
            Ok(Some((body.transient("the feed ended early or is larger than 64 MiB")?, etag)))
        }
        _ => Err(HttpStatus::new("the feed's server", status).retry_after(pause).error()),
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
