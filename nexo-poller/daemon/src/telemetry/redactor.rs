use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use nexo_poller::contract::Redact;
use nexo_poller::host::LlmSettings;
use nexo_poller::unstable::SECRET_WORDS;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::config::credentials::CredentialsFile;

/// What stands in a secret's place.
const HIDDEN: &str = "(secret hidden)";

/// A shorter value is no secret worth the name, and would be found inside ordinary words.
const SHORTEST: usize = 6;

/// Knows the secrets of this daemon and takes them out of what plugins write to stderr, log, and fail with.
///
/// Secrets are what the credentials file holds (but for `account_id`), and what stands in configs, plugin environments and
/// the daemon's own environment under a key that names a secret; passwords and secret parameters inside URLs as well.
#[derive(Default)]
pub(crate) struct Redactor {
    known: RwLock<Arc<Known>>,
}

/// The secrets, and what finds all of them in one pass over a text.
struct Known {
    secrets: BTreeSet<String>,
    /// Of secrets that begin at one place the longest is taken: one that holds another goes as a whole.
    finder: Result<AhoCorasick, BuildError>,
}

impl Known {
    fn of(secrets: BTreeSet<String>) -> Self {
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&secrets);
        Self { secrets, finder }
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::of(BTreeSet::new())
    }
}

impl Redactor {
    /// Knows these secrets from now on, besides what it knew: a job may go on with its old definition, and a plugin may
    /// still say what it was given before.
    pub(crate) fn learn<'a>(
        &self,
        secrets: &CredentialsFile,
        configs: impl Iterator<Item = &'a Value>,
        plugin_environments: impl Iterator<Item = (String, String)>,
    ) {
        let mut found = BTreeSet::new();
        for fields in secrets.accounts.values() {
            for (_, value) in fields.iter().filter(|(key, _)| *key != "account_id") {
                collect(value, true, &mut found);
            }
        }
        found.extend(secrets.llm.values().filter_map(LlmSettings::secret).map(str::to_owned));
        for config in configs {
            collect(config, false, &mut found);
        }
        // A variable need not be text. What is, and what is said of the rest, is known in that form.
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let own = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        for (name, value) in own.chain(plugin_environments) {
            collect(&Value::String(value), names_a_secret(&name), &mut found);
        }
        self.keep(found);
    }

    fn keep(&self, mut found: BTreeSet<String>) {
        found.retain(|secret| secret.len() >= SHORTEST);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !found.is_subset(&known.secrets) {
            found.extend(known.secrets.iter().cloned());
            *known = Arc::new(Known::of(found));
        }
    }

    /// `text` without what it knows.
    fn hide(&self, text: &str) -> String {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        // More secrets than a search can be made for: then all of the text may be one.
        let Ok(finder) = &known.finder else { return HIDDEN.to_owned() };
        let mut hidden = String::with_capacity(text.len());
        finder.replace_all_with(text, &mut hidden, |_, _, hidden| {
            hidden.push_str(HIDDEN);
            true
        });
        hidden
    }

    /// As what plugins and hosts apply.
    pub(crate) fn rule(self: &Arc<Self>) -> Redact {
        let redactor = Arc::clone(self);
        Redact::new(move |text| redactor.hide(text))
    }
}

fn collect(value: &Value, secret: bool, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if secret => {
            into.insert(text.clone());
            // "Bearer abc": the scheme is none.
            into.extend(text.split_once(' ').map(|(_, rest)| rest.trim().to_owned()));
        }
        Value::String(text) => collect_from_url(text, into),
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, into)),
        Value::Object(fields) => {
            for (key, value) in fields {
                collect(value, secret || names_a_secret(key), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `https://user:password@host/?api_key=…`: the password, and the parameters that name a secret. Not by a parser of URLs: that
/// refuses lists of addresses and `jdbc:postgresql://…`, which hold passwords as well.
fn collect_from_url(text: &str, into: &mut BTreeSet<String>) {
    let Some((_, rest)) = text.split_once("://") else { return };
    // Written in a URL, said as it is.
    let mut found = |secret: &str| {
        into.insert(secret.to_owned());
        into.insert(percent_decode_str(secret).decode_utf8_lossy().into_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((user, _)) = authority.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        found(password);
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if names_a_secret(name) {
            found(value);
        }
    }
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    key == "key" || key.ends_with("_key") || SECRET_WORDS.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hidden(config: &Value, text: &str) -> String {
        let redactor = Redactor::default();
        learn(&redactor, config);
        redactor.hide(text)
    }

    fn learn(redactor: &Redactor, config: &Value) {
        let mut found = BTreeSet::new();
        collect(config, false, &mut found);
        redactor.keep(found);
    }

    #[test]
    fn a_secret_that_was_replaced_stays_hidden_because_something_may_still_go_on_with_it() {
        let redactor = Redactor::default();
        for token in ["canary-old", "canary-new"] {
            learn(&redactor, &json!({ "token": token }));
        }
        assert_eq!(redactor.hide("canary-old, canary-new"), "(secret hidden), (secret hidden)");
    }

    #[test]
    fn a_secret_is_known_by_its_key_wherever_it_stands() {
        let config = json!({
            "url": "https://ana:swordfish@example.com/feed?api_key=canary-query&page=2",
            "headers": {"Authorization": "Bearer canary-header", "Accept": "application/json"},
            "nested": [{"client_secret": "canary-nested"}],
            "project": "NEXO",
        });
        let said = "GET https://ana:swordfish@example.com/feed?api_key=canary-query&page=2 with canary-header, \
                    canary-nested, application/json in NEXO";
        assert_eq!(
            hidden(&config, said),
            "GET https://ana:(secret hidden)@example.com/feed?api_key=(secret hidden)&page=2 with (secret hidden), \
             (secret hidden), application/json in NEXO"
        );
    }

    #[test]
    fn a_secret_that_holds_another_goes_as_a_whole_and_one_of_a_url_is_known_as_it_is_said_too() {
        let config = json!({
            "token": "canary-a", "client_secret": "canary-a-and-more", "url": "nats://ana:p%40ssw%C3%B6rd@a:4222,nats://b:4222",
        });
        assert_eq!(
            hidden(&config, "canary-a-and-more canary-a-and p@sswörd p%40ssw%C3%B6rd"),
            "(secret hidden) (secret hidden)-and (secret hidden) (secret hidden)"
        );
    }

    #[test]
    fn what_is_short_or_ordinary_is_left_alone() {
        assert_eq!(hidden(&json!({"token": "a", "folder": "inbox"}), "a token of the inbox"), "a token of the inbox");
    }
}
