use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use super::{HostServices, credentials};
use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost, TickIdentity};
use crate::wire::{Publisher, SentIds, code};

/// The longest message of a poller that is logged, in bytes.
const MAX_LOG_MESSAGE: usize = 4096;

/// The host of one tick inside the daemon. A plugin's calls end here as well.
pub struct InProcessHost {
    services: HostServices,
    tick: TickIdentity,
    sent: SentIds,
}

/// Shows no cursor: it may hold a secret.
impl fmt::Debug for InProcessHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessHost").field("tick", &self.tick).finish_non_exhaustive()
    }
}

impl InProcessHost {
    /// A host for `tick`.
    #[must_use]
    pub fn new(services: HostServices, tick: TickIdentity) -> Self {
        Self { services, tick, sent: SentIds::new() }
    }
}

#[async_trait]
impl PollerHost for InProcessHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        let publisher = Publisher { tick: &self.tick, source: "daemon", sent: &self.sent };
        let (event, id) = publisher.event(topic, &payload)?;
        self.services.broker.publish(event).await.map_err(|error| error.to_host_error("broker_publish"))?;
        id.keep();
        Ok(())
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        credentials::answer(&*self.services.credentials, &self.tick.agent_id, &channel).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        let TickIdentity { kind, job_id, agent_id, .. } = &self.tick;
        let (kind, job_id, agent_id) = (&**kind, &**job_id, &**agent_id);
        let fields = if fields.is_null() { String::new() } else { fields.to_string() };
        // Redacted first: a secret that the cut has halved would not be found any more.
        let (message, fields) = (self.services.redact.text(&message), self.services.redact.text(&fields));
        let (message, fields) = (shortened(&message), shortened(&fields));
        // tracing's levels are part of a call site, so each has its own.
        match level {
            LogLevel::Trace => tracing::trace!(job = job_id, kind, agent = agent_id, fields, "{message}"),
            LogLevel::Debug => tracing::debug!(job = job_id, kind, agent = agent_id, fields, "{message}"),
            LogLevel::Info => tracing::info!(job = job_id, kind, agent = agent_id, fields, "{message}"),
            LogLevel::Warn => tracing::warn!(job = job_id, kind, agent = agent_id, fields, "{message}"),
            LogLevel::Error => tracing::error!(job = job_id, kind, agent = agent_id, fields, "{message}"),
        }
        Ok(())
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.services.metrics.increment(&self.tick.kind, &self.tick.job_id, &name, &labels);
        Ok(())
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        match &self.services.llm {
            Some(llm) => llm.invoke(&self.tick, request).await,
            None => Err(HostError::Rejected {
                call: "llm_invoke".to_owned(),
                code: code::INVALID_PARAMS,
                message: "this daemon has no LLM provider configured".to_owned(),
            }),
        }
    }
}

/// At most [`MAX_LOG_MESSAGE`] bytes, cut between characters.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_LOG_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::broker::{Broker, LocalBroker};
    use crate::host::StaticCredentials;

    fn host(broker: &LocalBroker) -> InProcessHost {
        let mut telegram = serde_json::Map::new();
        telegram.insert("account_id".to_owned(), json!("bot_1"));
        let services = HostServices {
            broker: Arc::new(broker.clone()),
            credentials: Arc::new(StaticCredentials::new().with("ana", "telegram", telegram)),
            metrics: Arc::new(()),
            llm: None,
            redact: crate::contract::Redact::default(),
        };
        InProcessHost::new(services, TickIdentity::new("jira", "ana_jira", "ana"))
    }

    #[tokio::test]
    async fn credentials_are_those_of_the_agent_that_owns_the_tick() {
        let host = host(&LocalBroker::new());
        let found = host.credentials_get("telegram".to_owned()).await.unwrap();
        assert_eq!(found, json!({"account_id": "bot_1", "channel": "telegram", "agent_id": "ana"}));
        let missing = host.credentials_get("google".to_owned()).await.unwrap_err();
        assert_eq!(missing.to_string(), "no credentials for channel `google`: agent `ana` has no account there");
    }

    #[tokio::test]
    async fn every_agent_has_an_account_on_the_console() {
        let found = host(&LocalBroker::new()).credentials_get("console".to_owned()).await.unwrap();
        assert_eq!(found["account_id"], "console");
    }

    #[tokio::test]
    async fn a_repeated_tick_repeats_its_ids_and_a_payload_that_is_not_json_goes_nowhere() {
        let broker = LocalBroker::new();
        let mut heard = broker.subscribe(">", None).await.unwrap();
        let mut ids = Vec::new();
        for host in [host(&broker), host(&broker)] {
            for _ in 0..2 {
                host.broker_publish("plugin.outbound.a.b".to_owned(), b"{}".to_vec()).await.unwrap();
                ids.push(heard.next().await.unwrap().event.id.clone());
            }
        }
        assert_ne!(ids[0], ids[1], "two messages of one tick");
        assert_eq!(ids[..2], ids[2..]);
        let host = host(&broker);
        let refused = host.broker_publish("plugin.outbound.a.b".to_owned(), b"{hunter2".to_vec()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the payload for `plugin.outbound.a.b` cannot be published: it is not JSON (line 1, column 2)"
        );
    }

    #[tokio::test]
    async fn a_daemon_without_a_language_model_says_so_as_a_config_error() {
        let request = LlmInvokeRequest::new("x", "y", vec![]);
        let refused = host(&LocalBroker::new()).llm_invoke(request).await.unwrap_err();
        assert_eq!(refused.class(), crate::contract::ErrorClass::Config);
        assert_eq!(refused.to_string(), "`llm_invoke` was refused: this daemon has no LLM provider configured");
    }
}
