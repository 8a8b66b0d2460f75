use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use nexo_poller::contract::HostError;
use nexo_poller::host::{CONSOLE_CHANNEL, CredentialResolver, LlmSettings};
use serde_json::{Map, Value};

use super::keys::{NAME_RULE, Text};
use super::llm_providers;
use super::own::Own;
use super::private_file;
use super::yaml::{Key, Place, Problem, References, Sink, Table, entries, parse};
use crate::config::RefusedFile;

/// The agents' accounts: `agents: { ana: { telegram: { account_id: … } } }`. Replaced as a whole by a reload.
#[derive(Default)]
pub(crate) struct Credentials {
    accounts: RwLock<Arc<Accounts>>,
}

/// By agent and channel.
pub(crate) type Accounts = HashMap<(String, String), Map<String, Value>>;

impl Credentials {
    /// From now on `accounts` are the agents' accounts.
    pub(crate) fn replace(&self, accounts: Accounts) {
        *self.accounts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(accounts);
    }

    /// What `agent` has on `channel`.
    pub(crate) fn get(&self, agent: &str, channel: &str) -> Option<Map<String, Value>> {
        let accounts = Arc::clone(&self.accounts.read().unwrap_or_else(PoisonError::into_inner));
        accounts.get(&(agent.to_owned(), channel.to_owned())).cloned()
    }
}

#[async_trait]
impl CredentialResolver for Credentials {
    async fn resolve(&self, agent: &str, channel: &str) -> Result<Option<Map<String, Value>>, HostError> {
        match self.get(agent, channel) {
            // Everybody has an account on the console.
            None if channel != CONSOLE_CHANNEL => Err(HostError::CredentialsMissing {
                channel: channel.to_owned(),
                reason: format!("agent `{agent}` has no account there; add it to the credentials file and reload"),
            }),
            found => Ok(found),
        }
    }
}

/// What a credentials file holds.
#[derive(Default)]
pub(crate) struct CredentialsFile {
    /// `agents`.
    pub(crate) accounts: Accounts,
    /// `llm`: providers of language models by name.
    pub(crate) llm: BTreeMap<String, LlmSettings>,
}

/// Reads the file at `path`.
///
/// # Errors
/// Every problem of the file; also where others than its owner may read it.
pub(crate) fn load(path: &Path) -> Result<CredentialsFile, RefusedFile> {
    let file = path.display().to_string();
    let text = private_file::read(path).map_err(|error| {
        let message = format!("the credentials cannot be read: {error}");
        RefusedFile { problems: vec![Problem { file: file.clone(), place: None, job: None, message }] }
    })?;
    let mut root = parse(&text, &file).map_err(|problem| RefusedFile { problems: vec![*problem] })?;
    let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
    let dir = path.parent().unwrap_or(Path::new(""));
    References::strict(dir, &Own).resolve(&mut root, &mut sink);
    let mut found = CredentialsFile::default();
    if let Some(mut top) = Table::open("the file", Place::item(root.at), &root, &mut sink) {
        if let Some((key, agents)) = top.take("agents") {
            for (agent, channels) in entries("`agents`", Place::value(key, agents.at), agents, &mut sink) {
                let place = Place::value(agent, channels.at);
                check_name(agent, &mut sink);
                for (channel, account) in entries("an agent's accounts", place, channels, &mut sink) {
                    let place = Place::value(channel, account.at);
                    check_name(channel, &mut sink);
                    match account.to_json() {
                        Value::Object(fields) if has_account_id(&fields) => {
                            found.accounts.insert((agent.name.clone(), channel.name.clone()), fields);
                        }
                        _ => sink.add(place, "an account must be a mapping with an `account_id` that is text"),
                    }
                }
            }
        }
        found.llm = llm_providers::read(&mut top, &mut sink);
        top.finish(&mut sink);
    }
    if sink.problems.is_empty() { Ok(found) } else { Err(RefusedFile { problems: sink.problems }) }
}

fn check_name(key: &Key, sink: &mut Sink<'_>) {
    if !Text::NAME.takes(&key.name) {
        sink.add(Place::key(key), format!("no agent and no channel is called that: {NAME_RULE}"));
    }
}

fn has_account_id(account: &Map<String, Value>) -> bool {
    account.get("account_id").and_then(Value::as_str).is_some_and(|id| !id.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn an_account_belongs_to_one_agent_and_channel() {
        let file = file("agents: { ana: { telegram: { account_id: bot_1, token: hunter2 } } }\n", 0o600);
        let credentials = Credentials::default();
        credentials.replace(load(file.path()).unwrap().accounts);
        let expected = json!({"account_id": "bot_1", "token": "hunter2"});
        assert_eq!(credentials.get("ana", "telegram").map(Value::Object), Some(expected));
        assert_eq!(credentials.get("bob", "telegram"), None);
        assert_eq!(credentials.get("ana", "google"), None);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o660] {
            let error = load(file("agents: {}\n", mode).path()).err().unwrap().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_a_value() {
        for (text, place, said) in [
            ("agents: { ana: { telegram: hunter2 } }\n", ":1:28: ", "an account must be a mapping"),
            ("agents: { ana: { telegram: { token: hunter2 } } }\n", ":1:28: ", "with an `account_id`"),
            ("agent: { ana: hunter2 }\n", ":1:1: ", "did you mean `agents`?"),
            (
                "agents: { \"a\\0na\": { telegram: { account_id: a } } }\n",
                ":1:11: ",
                "no agent and no channel is called that",
            ),
            (
                "agents: { ana: { \"a\\nb\": { account_id: a } } }\n",
                ":1:18: ",
                "no agent and no channel is called that",
            ),
            ("agents: { ana: hunter2 }\n", ":1:16: ", "an agent's accounts must be a mapping, found text"),
        ] {
            let error = load(file(text, 0o600).path()).err().unwrap().to_string();
            assert!(error.contains(place) && error.contains(said), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
