use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;

use super::log_limits::Allowed;
use super::{HostServices, credentials};
use crate::contract::cursor_texts::CursorTexts;
use crate::contract::one_line::{cut, one_line};
use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost, TickIdentity};
use crate::wire::{Publisher, SentIds, code};

/// The longest message of a poller that is logged, in bytes.
const MAX_LOG_MESSAGE: usize = 4096;

/// As much of it is looked through for secrets.
const MAX_READ: usize = 64 * 1024;

/// The host of one tick inside the daemon. A plugin's calls end here as well.
pub struct InProcessHost {
    services: HostServices,
    tick: TickIdentity,
    sent: SentIds,
    /// What hides the tick's cursor; made once something is said.
    cursor: OnceLock<CursorTexts>,
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
        Self { services, tick, sent: SentIds::new(), cursor: OnceLock::new() }
    }

    /// What is shown of a text of the poller's: one line, without secrets, of at most [`MAX_LOG_MESSAGE`] bytes.
    fn shown(&self, text: &str) -> String {
        // Cut last: a secret that is halved would not be found any more.
        let text = self.cursor().hide(self.services.redact.text(cut(text, MAX_READ)));
        cut(&one_line(&text), MAX_LOG_MESSAGE).to_owned()
    }

    fn cursor(&self) -> &CursorTexts {
        self.cursor.get_or_init(|| CursorTexts::of(self.tick.cursor_before.as_deref()))
    }

    fn tell_dropped(&self, dropped: u64) {
        if dropped > 0 {
            tracing::warn!(kind = &*self.tick.kind, "{dropped} lines dropped: the pollers of this kind log too much");
        }
    }
}

/// Nothing may follow that would tell of what was dropped.
impl Drop for InProcessHost {
    fn drop(&mut self) {
        self.tell_dropped(self.services.log_limits.take_dropped(&self.tick.kind));
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
        if !is_heard(level) {
            return Ok(());
        }
        let fields = if fields.is_null() { String::new() } else { fields.to_string() };
        let bytes = message.len().min(MAX_LOG_MESSAGE) + fields.len().min(MAX_LOG_MESSAGE);
        match self.services.log_limits.check(kind, bytes, Instant::now()) {
            Allowed::Yes { dropped } => self.tell_dropped(dropped),
            Allowed::No => return Ok(()),
        }
        let (message, fields) = (self.shown(&message), self.shown(&fields));
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
        // A name without its secret is not valid any more, and is refused.
        let (name, labels) = (self.services.redact.text(&name), self.services.redact.json(&labels));
        let labels = self.cursor().hide_in(labels);
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

/// Whether anybody hears what a poller logs at `level`: what nobody hears costs nothing.
fn is_heard(level: LogLevel) -> bool {
    match level {
        LogLevel::Trace => tracing::enabled!(tracing::Level::TRACE),
        LogLevel::Debug => tracing::enabled!(tracing::Level::DEBUG),
        LogLevel::Info => tracing::enabled!(tracing::Level::INFO),
        LogLevel::Warn => tracing::enabled!(tracing::Level::WARN),
        LogLevel::Error => tracing::enabled!(tracing::Level::ERROR),
    }
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
        let credentials = StaticCredentials::new().with("ana", "telegram", telegram);
        let services = HostServices::new(Arc::new(broker.clone()), Arc::new(credentials));
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
