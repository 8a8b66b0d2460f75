//! A host that does nothing, so that what is around it is measured.

use std::time::Duration;

use nexo_poller::contract::LlmInvokeResponse;
use nexo_poller::prelude::*;

/// Takes each message and forgets it; there is no model.
#[derive(Clone, Copy, Default)]
pub(crate) struct NoHost {
    /// No message is taken: each is refused after this long.
    pub(crate) stalls: Option<Duration>,
}

#[async_trait]
impl PollerHost for NoHost {
    async fn broker_publish(&self, _: String, payload: Vec<u8>) -> Result<(), HostError> {
        let Some(time) = self.stalls else { return Ok(()) };
        tokio::time::sleep(time).await;
        Err(HostError::unavailable(format!("{} bytes are not taken", payload.len())))
    }

    async fn credentials_get(&self, _: String) -> Result<Value, HostError> {
        Ok(Value::Null)
    }

    async fn log(&self, _: LogLevel, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }

    async fn metric_inc(&self, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }

    async fn llm_invoke(&self, _: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        Err(HostError::unavailable("there is no model here"))
    }
}
