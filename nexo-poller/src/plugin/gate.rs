use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollerHost};

/// A tick's host that closes with the tick. Code that a tick left behind (a blocked thread, a task that it spawned and
/// forgot) must not publish under a cursor that was given up long ago.
pub(super) struct GatedHost {
    host: Arc<dyn PollerHost>,
    over: CancellationToken,
}

impl GatedHost {
    pub(super) fn new(host: Arc<dyn PollerHost>, over: CancellationToken) -> Self {
        Self { host, over }
    }

    fn open(&self) -> Result<&dyn PollerHost, HostError> {
        if self.over.is_cancelled() {
            return Err(HostError::unavailable("the tick is over; await every call before it returns"));
        }
        Ok(self.host.as_ref())
    }
}

#[async_trait]
impl PollerHost for GatedHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        self.open()?.broker_publish(topic, payload).await
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
}
