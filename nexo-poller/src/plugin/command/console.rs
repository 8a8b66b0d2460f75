use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost, check_topic};
use crate::wire::{code, payload_json};

/// Something that a tick did to the world.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    Published { topic: String, payload: Value },
    Logged { level: LogLevel, message: String, fields: Value },
    Counted { name: String, labels: Value },
}

/// The world of `once` and `dev`: it keeps what a tick does, and tells it to `watch` at once.
pub(super) struct ConsoleHost {
    agent: String,
    accounts: HashMap<String, Value>,
    watch: Watch,
    effects: Mutex<Vec<Effect>>,
}

/// Receives each effect as it happens.
pub(super) type Watch = Arc<dyn Fn(&Effect) + Send + Sync>;

impl ConsoleHost {
    pub(super) fn new(agent: &str, accounts: &[(String, Value)], watch: Watch) -> Self {
        let accounts = accounts.iter().cloned().collect();
        Self { agent: agent.to_owned(), accounts, watch, effects: Mutex::default() }
    }

    /// What was done, in order.
    pub(super) fn effects(&self) -> Vec<Effect> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn done(&self, effect: Effect) {
        (self.watch)(&effect);
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).push(effect);
    }
}

#[async_trait]
impl PollerHost for ConsoleHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        check_topic(&topic).map_err(|error| HostError::Rejected {
            call: "broker_publish".to_owned(),
            code: code::PERMANENT,
            message: error.to_string(),
        })?;
        let payload = payload_json(&topic, &payload)?;
        self.done(Effect::Published { topic, payload });
        Ok(())
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        let mut answer = json!({"channel": channel, "agent_id": self.agent, "account_id": "console"});
        if let Some(Value::Object(given)) = self.accounts.get(&channel) {
            for (key, value) in given {
                answer[key] = value.clone();
            }
        }
        Ok(answer)
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.done(Effect::Logged { level, message, fields });
        Ok(())
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.done(Effect::Counted { name, labels });
        Ok(())
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        Err(HostError::Rejected {
            call: "llm_invoke".to_owned(),
            code: code::METHOD_NOT_FOUND,
            message: format!(
                "there is no language model here (`{}` of `{}` was asked for); a daemon has them",
                request.model, request.provider
            ),
        })
    }
}
