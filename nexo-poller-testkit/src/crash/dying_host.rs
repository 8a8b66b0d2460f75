use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use nexo_poller::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A host whose caller dies once it has taken so many messages: the answer to the last one never comes.
pub(super) struct DyingHost {
    host: Arc<dyn PollerHost>,
    left: AtomicUsize,
    died: CancellationToken,
}

impl DyingHost {
    /// `died` fires when `host` has taken `publishes` messages, one at least.
    pub(super) fn new(host: Arc<dyn PollerHost>, publishes: usize, died: CancellationToken) -> Self {
        Self { host, left: AtomicUsize::new(publishes.max(1)), died }
    }
}

#[async_trait]
impl PollerHost for DyingHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        self.host.broker_publish(topic, payload).await?;
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.died.cancel();
        }
        if self.died.is_cancelled() {
            return pending().await;
        }
        Ok(())
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        self.host.credentials_get(channel).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.host.log(level, message, fields).await
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.host.metric_inc(name, labels).await
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        self.host.llm_invoke(request).await
    }
}
