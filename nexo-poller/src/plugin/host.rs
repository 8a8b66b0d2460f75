use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::broker::Broker;
use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost, TickIdentity};
use crate::wire::{HostCall, HostRequest, Publisher, SentIds, code, is_too_deep, open_host_answer, too_deep, topics};

/// How long a plugin waits for the daemon's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostTimeouts {
    /// `log` and `metric_inc`: 5 s.
    pub telemetry: Duration,
    /// `credentials_get`: 10 s.
    pub credentials: Duration,
    /// `llm_invoke`: 120 s.
    pub llm: Duration,
}

impl HostTimeouts {
    /// Waits for each answer at most this long.
    #[must_use]
    pub const fn all(timeout: Duration) -> Self {
        Self { telemetry: timeout, credentials: timeout, llm: timeout }
    }
}

impl Default for HostTimeouts {
    fn default() -> Self {
        Self { telemetry: Duration::from_secs(5), credentials: Duration::from_secs(10), llm: Duration::from_secs(120) }
    }
}

/// The host of one tick in a plugin: publishes through the broker, and asks the daemon on `daemon.rpc.<plugin id>` in
/// the name of the tick's job.
pub struct BrokerPollerHost {
    broker: Arc<dyn Broker>,
    plugin_id: Arc<str>,
    timeouts: HostTimeouts,
    tick: TickIdentity,
    sent: SentIds,
}

/// Shows no cursor: it may hold a secret.
impl fmt::Debug for BrokerPollerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerPollerHost")
            .field("tick", &self.tick)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl BrokerPollerHost {
    /// The host for `tick` in the plugin `plugin_id`, which is the source of everything it publishes. What it may publish on
    /// is not decided here: whoever runs the tick holds its calls against the manifest's list, and the daemon does again.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, plugin_id: Arc<str>, timeouts: HostTimeouts, tick: TickIdentity) -> Self {
        Self { broker, plugin_id, timeouts, tick, sent: SentIds::new() }
    }

    async fn call(&self, request: HostRequest, channel: Option<&str>, timeout: Duration) -> Result<Value, HostError> {
        let (plugin_id, method) = (&*self.plugin_id, request.method());
        let call = HostCall::new(&request, &self.tick.agent_id, &self.tick.job_id);
        if is_too_deep(&call.params) {
            // The daemon could not read it.
            let message = format!("its parameters cannot be sent: {}", too_deep());
            return Err(HostError::Rejected { call: method.to_owned(), code: code::PERMANENT, message });
        }
        let topic = topics::calls(plugin_id);
        let answer = self.broker.request(&topic, plugin_id, call.to_value(), timeout).await;
        open_host_answer(method, channel, answer.map_err(|error| error.to_host_error(method))?)
    }
}

#[async_trait]
impl PollerHost for BrokerPollerHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        let publisher = Publisher { tick: &self.tick, source: &self.plugin_id, sent: &self.sent };
        let (event, id) = publisher.event(topic, &payload)?;
        self.broker.publish(event).await.map_err(|error| error.to_host_error("broker_publish"))?;
        id.keep();
        Ok(())
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        let agent_id = self.tick.agent_id.to_string();
        let request = HostRequest::CredentialsGet { channel: channel.clone(), agent_id };
        self.call(request, Some(&channel), self.timeouts.credentials).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.call(HostRequest::Log { level, message, fields }, None, self.timeouts.telemetry).await.map(|_| ())
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.call(HostRequest::MetricInc { name, labels }, None, self.timeouts.telemetry).await.map(|_| ())
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        let result = self.call(HostRequest::LlmInvoke(request), None, self.timeouts.llm).await?;
        // What the model wrote may stand in the decoder's message, so it is left out.
        serde_json::from_value(result).map_err(|_| HostError::Rejected {
            call: "llm_invoke".to_owned(),
            code: code::INTERNAL_ERROR,
            message: "the daemon's answer is malformed".to_owned(),
        })
    }
}
