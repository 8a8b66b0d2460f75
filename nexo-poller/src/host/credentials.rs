use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::contract::HostError;

/// The channel that every agent has: messages on it are printed by the daemon.
pub const CONSOLE_CHANNEL: &str = "console";

/// Where the daemon finds the accounts of its agents.
#[async_trait]
pub trait CredentialResolver: Send + Sync + 'static {
    /// What `agent` has on `channel`, as the fields of a JSON object: `account_id` and whatever the channel needs.
    /// `None` where it has no account there.
    ///
    /// # Errors
    /// [`HostError::Unavailable`] where the place that keeps them cannot be asked; the tick is retried.
    async fn resolve(&self, agent: &str, channel: &str) -> Result<Option<Map<String, Value>>, HostError>;
}

/// The answer to `credentials_get`, in the shape of the protocol.
pub(super) async fn answer(resolver: &dyn CredentialResolver, agent: &str, channel: &str) -> Result<Value, HostError> {
    let mut fields = match resolver.resolve(agent, channel).await? {
        Some(fields) => fields,
        None if channel == CONSOLE_CHANNEL => {
            let mut console = Map::new();
            console.insert("account_id".to_owned(), json!(CONSOLE_CHANNEL));
            console
        }
        None => {
            return Err(HostError::CredentialsMissing {
                channel: channel.to_owned(),
                reason: format!("agent `{agent}` has no account there"),
            });
        }
    };
    fields.insert("channel".to_owned(), json!(channel));
    fields.insert("agent_id".to_owned(), json!(agent));
    Ok(Value::Object(fields))
}

/// Credentials that are known from the start.
#[derive(Clone, Default)]
pub struct StaticCredentials {
    accounts: HashMap<(String, String), Map<String, Value>>,
}

impl StaticCredentials {
    /// No credentials at all (but the console's).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `agent` has on `channel`.
    #[must_use]
    pub fn with(mut self, agent: &str, channel: &str, fields: Map<String, Value>) -> Self {
        self.accounts.insert((agent.to_owned(), channel.to_owned()), fields);
        self
    }
}

/// Shows who has an account where, and nothing of it.
impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.accounts.keys()).finish()
    }
}

#[async_trait]
impl CredentialResolver for StaticCredentials {
    async fn resolve(&self, agent: &str, channel: &str) -> Result<Option<Map<String, Value>>, HostError> {
        Ok(self.accounts.get(&(agent.to_owned(), channel.to_owned())).cloned())
    }
}
