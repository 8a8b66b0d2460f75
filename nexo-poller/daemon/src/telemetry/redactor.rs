use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use nexo_poller::contract::Redact;
use nexo_poller::host::LlmSettings;
use serde_json::Value;

use crate::config::credentials::CredentialsFile;

/// What stands in a secret's place.
const HIDDEN: &str = "(secret hidden)";

/// A shorter value is no secret worth the name, and would be found inside ordinary words.
const SHORTEST: usize = 6;

/// Words in a key that make its value a secret.
const SECRET_WORDS: [&str; 10] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
];

/// Knows the secrets of this daemon and takes them out of what plugins write to stderr, log, and fail with.
///
/// Secrets are what the credentials file holds (but for `account_id`), and what stands in configs, plugin environments and
/// the daemon's own environment under a key that names a secret; passwords and secret parameters inside URLs as well.
#[derive(Default)]
pub(crate) struct Redactor {
    /// The longest first: a secret that holds another goes as a whole.
    secrets: RwLock<Arc<Vec<String>>>,
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
        for (name, value) in std::env::vars().chain(plugin_environments) {
            collect(&Value::String(value), names_a_secret(&name), &mut found);
        }
        self.keep(found);
    }

    fn keep(&self, mut found: BTreeSet<String>) {
        let mut known = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        found.extend(known.iter().cloned());
        let mut secrets: Vec<String> = found.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        *known = Arc::new(secrets);
    }

    /// `text` without what it knows.
    fn hide(&self, text: &str) -> String {
        let secrets = Arc::clone(&self.secrets.read().unwrap_or_else(PoisonError::into_inner));
        let mut text = text.to_owned();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
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

/// `https://user:password@host/?api_key=…`: the password, and the parameters that name a secret.
fn collect_from_url(text: &str, into: &mut BTreeSet<String>) {
    let Some((_, rest)) = text.split_once("://") else { return };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((user, _)) = authority.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        into.insert(password.to_owned());
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if names_a_secret(name) {
            into.insert(value.to_owned());
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
    fn what_is_short_or_ordinary_is_left_alone() {
        assert_eq!(hidden(&json!({"token": "a", "folder": "inbox"}), "a token of the inbox"), "a token of the inbox");
    }
}
