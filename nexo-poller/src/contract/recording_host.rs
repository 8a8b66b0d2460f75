//! The host of tests of this room and of the body of a tick: it knows one account, and keeps what is published.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::prelude::*;

pub(crate) struct RecordingHost {
    account: Result<Value, HostError>,
    /// For which channels it was asked.
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) sent: Mutex<Vec<(String, Value)>>,
}

impl RecordingHost {
    pub(crate) fn new(account: Result<Value, HostError>) -> Arc<Self> {
        Arc::new(Self { account, asked: Mutex::default(), sent: Mutex::default() })
    }

    /// A tick of a job of ana's.
    pub(crate) fn tick(self: &Arc<Self>) -> PollContext {
        PollContext {
            job_id: "j".into(),
            agent_id: "ana".into(),
            kind: "rss",
            config: Value::Null,
            cursor: None,
            now: Utc::now(),
            interval_hint: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            host: Arc::clone(self) as Arc<dyn PollerHost>,
        }
    }
}

#[async_trait]
impl PollerHost for RecordingHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        self.sent.lock().unwrap().push((topic, serde_json::from_slice(&payload).unwrap()));
        Ok(())
    }
    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        self.asked.lock().unwrap().push(channel);
        self.account.clone()
    }
    async fn log(&self, _: LogLevel, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }
    async fn metric_inc(&self, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }
    async fn llm_invoke(&self, _: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        Err(HostError::unavailable("none"))
    }
}
