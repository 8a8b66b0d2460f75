use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::CredentialResolver;
use super::log_limits::LogLimits;
use crate::broker::Broker;
use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, Redact, TickIdentity};

/// Counts what pollers count.
pub trait MetricSink: Send + Sync + 'static {
    /// Adds one to the counter `name`. The sink bounds how many names and labels it keeps.
    fn increment(&self, kind: &str, job_id: &str, name: &str, labels: &Value);
}

/// Counts nothing.
impl MetricSink for () {
    fn increment(&self, _: &str, _: &str, _: &str, _: &Value) {}
}

/// Answers `llm_invoke`.
#[async_trait]
pub trait LlmProvider: Send + Sync + 'static {
    /// One turn for `tick`, on its agent's account.
    ///
    /// # Errors
    /// Any [`HostError`]; its class decides what happens to the job.
    async fn invoke(&self, tick: &TickIdentity, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError>;
}

/// What every [`InProcessHost`](super::InProcessHost) of a daemon shares.
#[derive(Clone)]
#[non_exhaustive]
pub struct HostServices {
    /// Where publishes go.
    pub broker: Arc<dyn Broker>,
    /// Where accounts are found.
    pub credentials: Arc<dyn CredentialResolver>,
    /// Where counts go.
    pub metrics: Arc<dyn MetricSink>,
    /// Who answers `llm_invoke`, if anybody does.
    pub llm: Option<Arc<dyn LlmProvider>>,
    /// Applied to what pollers log and count.
    pub redact: Redact,
    /// How much of it is logged.
    pub(super) log_limits: Arc<LogLimits>,
}

impl HostServices {
    /// Publishes go to `broker`, accounts are found in `credentials`; nothing is counted, nobody answers `llm_invoke`, and no
    /// secret is known.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, credentials: Arc<dyn CredentialResolver>) -> Self {
        Self {
            broker,
            credentials,
            metrics: Arc::new(()),
            llm: None,
            redact: Redact::default(),
            log_limits: Arc::default(),
        }
    }

    /// Publishes go to `broker`.
    #[must_use]
    pub fn with_broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = broker;
        self
    }

    /// Counts go to `metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<dyn MetricSink>) -> Self {
        self.metrics = metrics;
        self
    }

    /// `llm` answers `llm_invoke`.
    #[must_use]
    pub fn with_llm(mut self, llm: Arc<dyn LlmProvider>) -> Self {
        self.llm = Some(llm);
        self
    }

    /// Applies `redact` to what pollers log and count.
    #[must_use]
    pub fn with_redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }
}

impl fmt::Debug for HostServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostServices").field("has_llm", &self.llm.is_some()).finish_non_exhaustive()
    }
}
