use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::{PublishList, TickGate};
use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost, check_topic, code};

/// The host as one tick sees it, whichever host that is: it publishes on the topics of the publish list only, it closes with
/// the tick, and it remembers until then where messages go.
pub(super) struct TickHost {
    host: Arc<dyn PollerHost>,
    gate: TickGate,
    publish: PublishList,
    /// The account ids that were found, by channel. Nothing else of an account is kept.
    accounts: Mutex<HashMap<String, String>>,
}

impl TickHost {
    pub(super) fn new(host: Arc<dyn PollerHost>, gate: TickGate, publish: PublishList) -> Self {
        Self { host, gate, publish, accounts: Mutex::default() }
    }

    /// Code that a tick left behind (a blocked thread, a task that it spawned and forgot) must not publish under a cursor
    /// that was given up long ago. A call that has begun is let through: whether it has had its effect, nobody knows.
    fn open(&self) -> Result<&dyn PollerHost, HostError> {
        if self.gate.is_closed() {
            return Err(HostError::unavailable("the tick is over; await every call before it returns"));
        }
        Ok(self.host.as_ref())
    }
}

#[async_trait]
impl PollerHost for TickHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        let host = self.open()?;
        check_topic(&topic).map_err(|error| HostError::Rejected {
            call: "broker_publish".to_owned(),
            code: code::PERMANENT,
            message: error.to_string(),
        })?;
        self.publish.check(&topic)?;
        host.broker_publish(topic, payload).await
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        self.open()?.credentials_get(channel).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.open()?.log(level, message, fields).await
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.open()?.metric_inc(name, labels).await
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        self.open()?.llm_invoke(request).await
    }

    async fn account_id(&self, channel: String) -> Result<Option<String>, HostError> {
        let host = self.open()?;
        let known = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(&channel).cloned();
        if known.is_some() {
            return Ok(known);
        }
        // The lock is not held while the host is asked. Two messages at once may ask twice; both hear the same.
        let found = host.account_id(channel.clone()).await?;
        if let Some(id) = &found {
            self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, id.clone());
        }
        Ok(found)
    }
}
