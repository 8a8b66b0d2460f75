//! `webhook_poll`: asks an HTTP API for a list and announces what is new in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::fetch::{Answer, Http, Request, text_of};
use super::items::Items;
use super::secrets::WithSecrets;
use crate::contract::{
    Config, Cursor, Deliver, FromTick, MessageTemplate, PollContext, PollerError, ResultExt, State, TickAck, at_path,
};
use crate::poller;

/// As many items of an answer are looked at, and as many ids remembered: what is looked at is never forgotten.
const SEEN: usize = 500;

/// A longer `etag` or `last-modified` is not remembered: the answer is then read each time.
const LONGEST_VERSION: usize = 1024;

/// The config of a `webhook_poll` job.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// What is asked: `http` or `https`.
    #[serde(deserialize_with = "web_address")]
    #[schemars(with = "String", url)]
    url: Url,
    /// The HTTP method.
    #[serde(default)]
    method: Verb,
    /// Sent with each request. `${channel.field}` is a field of the agent's account on that channel.
    #[serde(default, deserialize_with = "headers")]
    headers: BTreeMap<String, String>,
    /// The request's body: text as it is, anything else as JSON.
    #[serde(default)]
    body: Option<Value>,
    /// Where the list of items stands in the answer, dotted; empty where the answer is the list.
    #[serde(default)]
    items_path: String,
    /// Where an item's id stands in it, dotted.
    #[serde(default = "id")]
    id_field: String,
    /// More new items than this wait for the next tick.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1))]
    max_per_tick: std::num::NonZeroUsize,
    /// What is said of an item: `{field}`, `{nested.field}`, `{json}` for all of it.
    message_template: MessageTemplate,
    /// Where messages go.
    deliver: Deliver,
    /// Allows addresses that are not on the public internet.
    #[serde(default)]
    allow_private_networks: bool,
}

/// Shows no address, no header's value and no body: each may hold a key.
impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("method", &self.method)
            .field("headers", &self.headers.keys())
            .field("deliver", &self.deliver)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    #[serde(alias = "get")]
    Get,
    #[serde(alias = "post")]
    Post,
    #[serde(alias = "put")]
    Put,
    #[serde(alias = "patch")]
    Patch,
}

fn id() -> String {
    "id".to_owned()
}

fn twenty() -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::MIN.saturating_add(19)
}

fn web_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| D::Error::custom("expected an http or https address"))
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    for (name, value) in &headers {
        let wrong = |why: &str| D::Error::custom(format!("header `{name}`: {why}"));
        HeaderName::try_from(name).map_err(|_| wrong("this is not a header name"))?;
        HeaderValue::try_from(value).map_err(|_| wrong("its value has characters that no header can hold"))?;
        WithSecrets(value).check().map_err(|why| wrong(&why))?;
    }
    Ok(headers)
}

/// What was announced, and the version of the answer that held nothing else.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// The ids, each as a hash: a source decides how long its ids are, and not how long a cursor is.
    #[serde(default)]
    hashes: Vec<String>,
    /// The ids themselves, in a cursor of an older version.
    #[serde(default, skip_serializing)]
    ids: Vec<String>,
    etag: Option<String>,
    last_modified: Option<String>,
}

/// The name of an id in a cursor: 22 characters, the same in every version.
fn hash_of(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()))
}

/// Asks an HTTP API for a list and announces what is new in it.
#[poller(
    kind = "webhook_poll",
    publish = ["plugin.outbound.>"],
    max_concurrent_ticks = 16,
    tick_timeout_secs = 120,
    crate = crate,
    main = false
)]
pub async fn webhook_poll(
    ctx: &PollContext,
    Config(config): Config<WebhookConfig>,
    Cursor(seen): Cursor<Seen>,
) -> Result<TickAck, PollerError> {
    let State(http) = State::<Http>::from_tick(ctx).await?;
    let request = request(ctx, &config, &seen).await?;
    let (headers, bytes) = match http.send(request).await? {
        Answer::Unchanged => return Ok(TickAck::new()),
        Answer::Body { headers, bytes } => (headers, bytes),
    };
    let items = Items::read(&bytes, &config.items_path, SEEN)?;
    let hashes = (0..items.len()).map(|index| Ok(hash_of(&id_of(&items.get(index)?, index, &config)?)));
    let hashes = hashes.collect::<Result<Vec<_>, PollerError>>()?;

    let old: Vec<String> = seen.ids.iter().take(SEEN).map(|id| hash_of(id)).chain(seen.hashes).collect();
    let known: HashSet<&String> = old.iter().collect();
    let mut met = HashSet::new();
    let news: Vec<usize> =
        (0..items.len()).filter(|index| !known.contains(&hashes[*index]) && met.insert(&hashes[*index])).collect();
    let announced = &news[..news.len().min(config.max_per_tick.get())];
    // All before the first is sent: a template that does not fit leaves nothing half-told.
    let texts = announced.iter().map(|index| config.message_template.fill_from(&items.get(*index)?));
    for text in texts.collect::<Result<Vec<_>, _>>()? {
        config.deliver.send(ctx, &text).await?;
    }

    // What is in the answer comes first; what has left it is remembered as far as there is room.
    let mut kept = HashSet::new();
    let still = hashes.iter().filter(|hash| known.contains(hash));
    let all = still.chain(announced.iter().map(|index| &hashes[*index])).chain(&old);
    let remembered = all.filter(|hash| kept.insert(*hash)).take(SEEN).cloned().collect();
    // An unchanged answer is not read again, so its version counts as seen only when nothing of it is left to announce.
    let whole = announced.len() == news.len();
    let version = |name| text_of(&headers, name).filter(|version| whole && version.len() <= LONGEST_VERSION);
    let (etag, last_modified) = (version(&ETAG), version(&LAST_MODIFIED));
    let seen = Seen { hashes: remembered, ids: Vec::new(), etag, last_modified };
    Ok(TickAck::with_cursor(&seen)?.items(items.len(), announced.len()))
}

async fn request(ctx: &PollContext, config: &WebhookConfig, seen: &Seen) -> Result<Request, PollerError> {
    let (mut headers, mut accounts) = (HeaderMap::new(), HashMap::new());
    let versions = [(IF_NONE_MATCH, &seen.etag), (IF_MODIFIED_SINCE, &seen.last_modified)];
    for (name, version) in versions {
        if let Some(version) = version.as_ref().and_then(|version| HeaderValue::try_from(version).ok()) {
            headers.insert(name, version);
        }
    }
    let body = config.body.as_ref().map(|body| match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    if config.body.as_ref().is_some_and(|body| !body.is_string()) {
        headers.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &config.headers {
        let revealed = WithSecrets(value).reveal(ctx, &mut accounts).await?;
        let mut value = HeaderValue::try_from(revealed).map_err(|_| {
            PollerError::config(format!("header `{name}`: a secret in it has characters that no header can hold"))
        })?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name).permanent("a header's name")?, value);
    }
    let method = match config.method {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
    };
    let (url, allow_private_networks) = (config.url.clone(), config.allow_private_networks);
    Ok(Request { method, url, headers, body, allow_private_networks })
}

/// The id of the item at `index`.
fn id_of(item: &Value, index: usize, config: &WebhookConfig) -> Result<String, PollerError> {
    match at_path(item, &config.id_field) {
        Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        _ => Err(PollerError::config(format!(
            "item {} of the answer has no text or number at `id_field: \"{}\"`",
            index + 1,
            config.id_field
        ))),
    }
}
