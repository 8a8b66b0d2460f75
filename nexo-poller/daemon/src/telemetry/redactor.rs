use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::Range;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use nexo_poller::contract::Redact;
use nexo_poller::host::LlmSettings;
use nexo_poller::unstable::names_a_secret;
use serde_json::Value;

use super::encoded::views;
use super::secret_forms::{SHORTEST, add_forms};
use crate::config::credentials::CredentialsFile;
use crate::config::values_of_files;

/// What stands in a secret's place.
const HIDDEN: &str = "(secret hidden)";

/// Knows the secrets of this daemon and takes them out of what plugins write to stderr, log, and fail with.
///
/// Secrets are what the credentials file holds (but for `account_id`), what was read by `${file:…}`, and what stands in configs,
/// plugin environments and the daemon's own environment under a key that names a secret; passwords, names without a password and
/// secret parameters inside URLs as well. Each is known in the forms of [`add_forms`] and in the encodings that [`views`] reads.
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
        let mut forms = BTreeSet::new();
        secrets.iter().for_each(|secret| add_forms(secret, &mut forms));
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
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
        addresses: impl Iterator<Item = &'a str>,
        plugin_environments: impl Iterator<Item = (String, String)>,
    ) {
        let mut found = values_of_files();
        addresses.for_each(|address| collect_from_url(address, &mut found));
        for fields in secrets.accounts.values() {
            for (_, value) in fields.iter().filter(|(key, _)| *key != "account_id") {
                collect_account(value, &mut found);
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
            collect(&Value::String(value), is_secret(&name), &mut found);
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

    /// `text` without what it knows, written as it is or encoded.
    pub(super) fn hide(&self, text: &str) -> String {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        // More secrets than a search can be made for: then all of the text may be one.
        let Ok(finder) = &known.finder else { return HIDDEN.to_owned() };
        if finder.patterns_len() == 0 {
            return text.to_owned();
        }
        let mut found: Vec<Range<usize>> = finder.find_iter(text).map(|found| found.range()).collect();
        for view in views(text) {
            found.extend(finder.find_iter(&view.bytes).map(|found| view.place(&found.range())));
        }
        without(text, found)
    }

    /// As what plugins and hosts apply.
    pub(crate) fn rule(self: &Arc<Self>) -> Redact {
        let redactor = Arc::clone(self);
        Redact::new(move |text| redactor.hide(text))
    }
}

/// `text` with something else in each of these places.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    let (mut rest, mut done) = (Vec::with_capacity(text.len()), 0);
    for place in places {
        if place.start >= done {
            rest.extend_from_slice(&text.as_bytes()[done..place.start]);
            rest.extend_from_slice(HIDDEN.as_bytes());
        }
        done = done.max(place.end);
    }
    rest.extend_from_slice(&text.as_bytes()[done..]);
    String::from_utf8_lossy(&rest).into_owned()
}

/// The redactor of this process. There is one, because its log has lines of whoever writes one.
pub(crate) fn redactor() -> &'static Arc<Redactor> {
    static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(Arc::default);
    &REDACTOR
}

/// All of an account is secret; a number is one where it is long.
fn collect_account(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Number(number) => drop(into.insert(number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| collect_account(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| collect_account(value, into)),
        other => collect(other, true, into),
    }
}

fn collect(value: &Value, secret: bool, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if secret {
                into.insert(text.clone());
                // "Bearer abc": the scheme is none.
                into.extend(text.split_once(' ').map(|(_, rest)| rest.trim().to_owned()));
            }
            collect_from_url(text, into);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, into)),
        Value::Object(fields) => {
            for (key, value) in fields {
                collect(value, secret || is_secret(key), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `https://user:password@host/?api_key=…`: the password, a name that stands without one, and the parameters that name a secret.
/// Not by a parser of URLs: that refuses lists of addresses and `jdbc:postgresql://…`, which hold passwords as well.
fn collect_from_url(text: &str, into: &mut BTreeSet<String>) {
    for rest in text.split("://").skip(1) {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@') {
            into.insert(user.split_once(':').map_or(user, |(_, password)| password).to_owned());
        }
        for (name, value) in rest.split(['?', '&', '#', ';']).skip(1).filter_map(|pair| pair.split_once('=')) {
            if is_secret(name) {
                into.insert(value.to_owned());
            }
        }
    }
}

fn is_secret(name: &str) -> bool {
    let key = name.to_ascii_lowercase().replace('-', "_");
    key == "key" || key.ends_with("_key") || names_a_secret(name)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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
    fn a_name_without_a_password_a_signature_and_each_of_several_addresses_are_known() {
        let config = json!({
            "clone": "https://canary-token@git.example.com/x",
            "blob": "https://files.example.com/a?sv=1&sig=canary%2Fsigned&se=2#access_token=canary-fragment",
            "X-Auth": "canary-header",
            "url": "nats://ana:canary-one@a:4222,nats://ana:canary-two@b:4222",
        });
        let said = "canary-token canary/signed canary%2Fsigned canary-fragment canary-header canary-one canary-two";
        assert!(!hidden(&config, said).contains("canary"), "{}", hidden(&config, said));
        assert!(hidden(&config, "git.example.com sv=1 ana").contains("git.example.com sv=1 ana"));
    }

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_begins_and_percent_encoded_in_any_spelling() {
        for secret in ["hunter2", "swordfish", "p\u{e4}ss/w\u{f6}rd?+~ \"x\"", "0123456789abcdef"] {
            let config = json!({ "token": secret });
            for user in ["", "a", "an", "ana", "ana:", "someone-else:"] {
                for after in ["", "x", "xy", "\n"] {
                    let whole = format!("{user}{secret}{after}");
                    for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                        assert!(hidden(&config, &format!("Basic {encoded}")).contains(HIDDEN), "{whole}: {encoded}");
                    }
                }
            }
            let all: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let some = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
            for encoded in [all.to_uppercase(), all, some.replace("%20", "+"), some] {
                assert_eq!(hidden(&config, &format!("?q={encoded}&x=1")), format!("?q={HIDDEN}&x=1"), "{encoded}");
            }
        }
    }

    #[test]
    fn a_line_costs_the_same_however_many_secrets_there_are() {
        let line = "an ordinary line of a log, with nothing in it that is a secret; ".repeat(16);
        let cost = |secrets: usize| {
            let redactor = Redactor::default();
            redactor.keep((0..secrets).map(|n| format!("canary-{n:08}-{:x}", n * 7_919)).collect());
            let started = std::time::Instant::now();
            let lines = 2_000;
            for _ in 0..lines {
                assert_eq!(redactor.hide(&line).len(), line.len());
            }
            started.elapsed() / lines
        };
        let (few, many) = (cost(10), cost(10_000));
        println!("a line of 1 KiB: {few:?} with 10 secrets, {many:?} with 10,000");
        let known = Known::of((0..10_000).map(|n| format!("sk-{:032x}", n * 7_919_u128.pow(8))).collect());
        println!("10,000 secrets take {} KiB", known.finder.map_or(0, |finder| finder.memory_usage()) >> 10);
        // A thousand times as many: a search for each would take a thousand times as long.
        assert!(many < few * 50 + std::time::Duration::from_micros(50), "{few:?} and {many:?}");
    }

    #[test]
    fn what_is_short_or_ordinary_is_left_alone() {
        assert_eq!(hidden(&json!({"token": "a", "folder": "inbox"}), "a token of the inbox"), "a token of the inbox");
    }
}
