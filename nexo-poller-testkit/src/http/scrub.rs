use std::collections::BTreeMap;

use nexo_poller::unstable::names_a_secret;
use serde_json::Value;

use super::recording::{Exchange, Recording};

/// What stands in a secret's place.
const SCRUBBED: &str = "(scrubbed)";

/// What is a secret in a recording besides what is one everywhere; elsewhere these stand in names of harmless things, such as
/// the environment's `XDG_SESSION_TYPE`.
const OF_RECORDINGS: [&str; 2] = ["signature", "session"];

/// A value that is shorter is found in ordinary words.
const SHORTEST: usize = 6;

/// Takes secrets out of a recording: headers, parameters and JSON fields whose names tell, and values that are named. A
/// value that stands in one such place is taken out everywhere: services repeat what they are asked.
///
/// ```
/// use nexo_poller_testkit::http::{Exchange, Recording, Scrub};
///
/// let mut recording = Recording::from([
///     Exchange::get("/issues").query("access_token", "hunter2").header("set-cookie", "id=7").text("hello ana@example.org"),
/// ]);
/// Scrub::new().value("ana@example.org").scrub(&mut recording);
/// let text = serde_json::to_string(&recording).unwrap();
/// assert!(!text.contains("hunter2") && !text.contains("id=7") && !text.contains("ana@"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Scrub {
    values: Vec<String>,
    names: Vec<String>,
}

impl Scrub {
    /// What goes by its name: authorization, cookies, tokens, secrets, passwords, keys, signatures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This value too, wherever it stands. An empty one is ignored.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self.values.retain(|value| !value.is_empty());
        self
    }

    /// What has this name too.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.names.push(normal(name));
        self
    }

    /// Takes the secrets out of `recording`.
    pub fn scrub(&self, recording: &mut Recording) {
        let mut all = self.clone();
        for Exchange { request, response } in &recording.exchanges {
            all.learn(request.query.iter().flatten());
            all.learn(&response.headers);
            [request.body.as_ref(), Some(&response.body)].into_iter().flatten().for_each(|body| all.learn_json(body));
        }
        // One that holds another goes first.
        all.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        all.replace(recording);
    }

    /// Knows the values of those of `fields` whose names tell.
    pub(super) fn learn<'f>(&mut self, fields: impl IntoIterator<Item = (&'f String, &'f String)>) {
        for (_, value) in fields.into_iter().filter(|(name, _)| self.is_secret(name)).collect::<Vec<_>>() {
            // "Bearer abc": the scheme is none.
            let secret = value.rsplit(' ').next().unwrap_or(value);
            if secret.len() >= SHORTEST && secret != SCRUBBED {
                self.values.push(secret.to_owned());
            }
        }
    }

    fn learn_json(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn_json(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) => self.learn([(name, text)]),
                        other => self.learn_json(other),
                    }
                }
            }
            _ => {}
        }
    }

    fn replace(&self, recording: &mut Recording) {
        for Exchange { request, response } in &mut recording.exchanges {
            self.text(&mut request.path);
            if let Some(query) = &mut request.query {
                self.map(query);
            }
            if let Some(body) = &mut request.body {
                self.json(body);
            }
            self.map(&mut response.headers);
            self.json(&mut response.body);
        }
    }

    fn map(&self, fields: &mut BTreeMap<String, String>) {
        for (name, value) in fields {
            if self.is_secret(name) {
                SCRUBBED.clone_into(value);
            } else {
                self.text(value);
            }
        }
    }

    fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if self.is_secret(name) && value.is_string() {
                        *value = SCRUBBED.into();
                    } else {
                        self.json(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &mut String) {
        for secret in self.values.iter().filter(|secret| text.contains(secret.as_str())).collect::<Vec<_>>() {
            *text = text.replace(secret.as_str(), SCRUBBED);
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        let named = names_a_secret(name);
        let name = normal(name);
        // `pageToken`: the next page cannot be asked for without it.
        if name.contains("page") {
            return false;
        }
        let of_recordings = OF_RECORDINGS.iter().any(|word| name.contains(word));
        name == "key" || of_recordings || self.names.contains(&name) || named
    }
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
