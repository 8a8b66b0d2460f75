use std::future::{pending, ready};
use std::sync::Arc;

use async_trait::async_trait;
use nexo_poller::contract::{
    HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, Pattern, PollerHost, TickIdentity,
};
use nexo_poller::wire::{Publisher, SentIds, code};
use serde_json::Value;

use super::call::{LogLine, MetricIncrement, Published};
use super::fault::Effect;
use super::mock::Inner;
use super::{Method, MockPollerHost};

/// The mocked host as one tick sees it.
pub(super) struct TickHost {
    host: MockPollerHost,
    tick: TickIdentity,
    sent: Arc<SentIds>,
}

impl MockPollerHost {
    /// The host of one tick: the ids of its publishes are derived from that tick.
    pub(crate) fn for_tick(&self, tick: TickIdentity) -> Arc<dyn PollerHost> {
        Arc::new(TickHost::new(self.clone(), tick))
    }
}

impl TickHost {
    pub(super) fn new(host: MockPollerHost, tick: TickIdentity) -> Self {
        Self { host, tick, sent: Arc::default() }
    }

    /// One call: counted, struck by faults, done.
    async fn call<T>(
        &self,
        method: Method,
        topic: Option<&str>,
        work: impl FnOnce(&mut Inner) -> Result<T, HostError> + Send,
    ) -> Result<T, HostError> {
        let effect = {
            let mut inner = self.host.inner();
            inner.calls.push(method);
            inner.strike(method, topic)
        };
        match effect {
            Some(Effect::Hangs) => return pending().await,
            Some(Effect::Fails(error)) => return Err(error),
            Some(Effect::Delays(delay)) => tokio::time::sleep(delay).await,
            Some(Effect::LosesTheAnswer(error)) => return work(&mut self.host.inner()).and(Err(error)),
            None => ready(()).await,
        }
        work(&mut self.host.inner())
    }
}

#[async_trait]
impl PollerHost for TickHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        // In the order of the real hosts: the list, the payload, then the broker, which is what faults stand for.
        self.host.inner().check_allowed(&topic)?;
        let publisher = Publisher::new(&self.tick, "test", &self.sent);
        let (event, id) = publisher.event(topic.clone(), &payload)?;
        check_topic(&topic)?;
        let job_id = self.tick.job_id.to_string();
        let message = Published { topic: topic.clone(), payload: event.payload, id: event.id, job_id };
        self.call(Method::Publish, Some(&topic), move |inner| {
            inner.take(message);
            Ok(())
        })
        .await?;
        id.keep();
        Ok(())
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        let agent_id = Arc::clone(&self.tick.agent_id);
        self.call(Method::Credentials, None, move |inner| inner.script.credentials(&channel, &agent_id)).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.call(Method::Log, None, move |inner| {
            inner.logs.push(LogLine { level, message, fields });
            Ok(())
        })
        .await
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.call(Method::Metric, None, move |inner| {
            inner.metrics.push(MetricIncrement { name, labels });
            Ok(())
        })
        .await
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        self.call(Method::Llm, None, move |inner| {
            let answer = inner.script.llm(&request);
            inner.llm_requests.push(request);
            answer
        })
        .await
    }
}

#[cfg(feature = "process")]
impl MockPollerHost {
    /// Takes a message that a plugin's process has published, as one that a tick publishes through this host.
    pub(crate) async fn take_event(&self, event: &nexo_poller::wire::Event, job_id: String) -> Result<(), HostError> {
        let message =
            Published { topic: event.topic.clone(), payload: event.payload.clone(), id: event.id.clone(), job_id };
        let take = |inner: &mut Inner| {
            inner.take(message);
            Ok(())
        };
        self.standing_alone().call(Method::Publish, Some(&event.topic), take).await
    }
}

/// Publishing needs a topic, not a pattern.
fn check_topic(topic: &str) -> Result<(), HostError> {
    let refuse = |message: String| {
        Err(HostError::Rejected { call: "broker_publish".to_owned(), code: code::PERMANENT, message })
    };
    match topic.parse::<Pattern>() {
        Err(error) => refuse(error.to_string()),
        Ok(pattern) if pattern.is_wildcard() => refuse(format!("`{topic}` is a pattern: publishing needs a topic")),
        Ok(_) => Ok(()),
    }
}

/// The host by itself acts for the job `test_job` of the agent `test_agent`, at its first tick.
#[async_trait]
impl PollerHost for MockPollerHost {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        self.standing_alone().broker_publish(topic, payload).await
    }

    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        self.standing_alone().credentials_get(channel).await
    }

    async fn log(&self, level: LogLevel, message: String, fields: Value) -> Result<(), HostError> {
        self.standing_alone().log(level, message, fields).await
    }

    async fn metric_inc(&self, name: String, labels: Value) -> Result<(), HostError> {
        self.standing_alone().metric_inc(name, labels).await
    }

    async fn llm_invoke(&self, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        self.standing_alone().llm_invoke(request).await
    }
}

impl MockPollerHost {
    fn standing_alone(&self) -> TickHost {
        let tick = TickIdentity::new("test", "test_job", "test_agent");
        // All that is published through it is one tick's.
        let sent = Arc::clone(&self.inner().standing_alone);
        TickHost { sent, ..TickHost::new(self.clone(), tick) }
    }
}
