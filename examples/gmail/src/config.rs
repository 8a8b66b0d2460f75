use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use nexo_poller::prelude::*;
use regex::Regex;
use url::Url;

use crate::message::Message;

/// What a message has besides what is cut out of it.
const FIELDS: [&str; 8] = ["id", "thread_id", "subject", "from", "to", "date", "snippet", "body"];

/// The config, whose keys fit together.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "Keys")]
pub(crate) struct GmailConfig(pub(crate) Keys);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// What is looked for, as in Gmail's search field.
    #[serde(default = "unread")]
    query: String,
    /// Only messages that are not older: `2d`, `6m`, `1y`.
    newer_than: Option<String>,
    /// More messages than this wait for the next tick.
    #[serde(default = "twenty")]
    pub(crate) max_per_tick: NonZeroUsize,
    /// Milliseconds between two announcements.
    #[serde(default = "second")]
    pub(crate) dispatch_delay_ms: u64,
    /// Only messages of these addresses; `@example.com` stands for a whole domain. Left out: of anybody.
    #[serde(default)]
    sender_allowlist: Vec<String>,
    /// Fields that are cut out of a message's text: the first group of the expression, else all that it matches.
    #[serde(default)]
    extract: BTreeMap<String, Expression>,
    /// Messages without one of these fields are left alone.
    #[serde(default)]
    require_fields: Vec<String>,
    /// The message; `{subject}`, `{from}`, `{snippet}` and so on, and what `extract` names, are replaced.
    pub(crate) message_template: MessageTemplate,
    /// Whether a message is marked read once it was announced.
    #[serde(default = "yes")]
    pub(crate) mark_read_on_dispatch: bool,
    /// Where announcements go.
    pub(crate) deliver: Deliver,
    /// Where the API is, if not at `https://gmail.googleapis.com/gmail/v1`.
    pub(crate) api_url: Option<Url>,
}

fn unread() -> String {
    "is:unread".to_owned()
}

const fn twenty() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(19)
}

const fn second() -> u64 {
    1_000
}

const fn yes() -> bool {
    true
}

impl TryFrom<Keys> for GmailConfig {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let is_known = |name: &&str| FIELDS.contains(name) || keys.extract.contains_key(*name);
        let known = || FIELDS.into_iter().chain(keys.extract.keys().map(String::as_str)).collect::<Vec<_>>().join(", ");
        if let Some(name) = keys.extract.keys().find(|name| FIELDS.contains(&name.as_str())) {
            return Err(format!("`extract`: every message has a field `{name}` already; choose another name"));
        }
        if let Some(name) = keys.message_template.fields().find(|name| !is_known(name)) {
            return Err(format!(
                "`message_template`: it names the field `{name}`, which there is not; there are {}",
                known()
            ));
        }
        if let Some(name) = keys.require_fields.iter().map(String::as_str).find(|name| !is_known(name)) {
            return Err(format!("`require_fields`: there is no field `{name}`; there are {}", known()));
        }
        Ok(Self(keys))
    }
}

impl Keys {
    /// The query that Gmail is asked.
    pub(crate) fn search(&self) -> String {
        let age = self.newer_than.as_ref().map(|age| format!(" newer_than:{age}"));
        format!("{}{}", self.query, age.unwrap_or_default())
    }

    /// What can be told of `message`; `None` where it is to be left alone.
    pub(crate) fn fields_of(&self, message: &Message) -> Option<Value> {
        if !self.sender_allowlist.is_empty() && !self.sender_allowlist.iter().any(|sender| message.is_from(sender)) {
            return None;
        }
        let mut fields = message.fields.clone();
        for (name, Expression(expression)) in &self.extract {
            let found = expression.captures(&message.body).and_then(|found| found.get(1).or_else(|| found.get(0)));
            fields[name] = found.map_or("", |found| found.as_str().trim()).into();
        }
        let is_there = |name: &String| fields[name].as_str().is_some_and(|text| !text.is_empty());
        self.require_fields.iter().all(is_there).then_some(fields)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline, extend("format" = "regex"))]
struct Expression(#[schemars(with = "String")] Regex);

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Regex::new(&text).map(Self).map_err(|error| format!("no regular expression: {error}"))
    }
}
