use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nexo_poller::broker::{Broker, BrokerError, LocalBroker, Subscription};
use nexo_poller::wire::{Event, topics};
use serde_json::Value;

use crate::MockPollerHost;

/// The daemon's broker in a test: what the plugin publishes is taken by the mocked host, faults and all.
#[derive(Clone)]
pub(super) struct HostBroker {
    local: LocalBroker,
    host: MockPollerHost,
    /// The jobs whose ticks run: a message says not of which job it is.
    running: Arc<Mutex<Vec<String>>>,
}

impl HostBroker {
    pub(super) fn new(host: MockPollerHost) -> Self {
        Self { local: LocalBroker::new(), host, running: Arc::default() }
    }

    /// Notes that a tick of `job` runs, until what is returned is dropped.
    pub(super) fn enter(&self, job: &str) -> Entered {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(job.to_owned());
        Entered { broker: self.clone(), job: job.to_owned() }
    }

    fn job(&self) -> String {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.as_slice() {
            [job] => job.clone(),
            _ => String::new(),
        }
    }
}

pub(super) struct Entered {
    broker: HostBroker,
    job: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut running = self.broker.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = running.iter().position(|job| *job == self.job) {
            running.swap_remove(at);
        }
    }
}

#[async_trait]
impl Broker for HostBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        if !topics::is_call_or_answer(&event.topic) {
            let taken = self.host.take_event(&event, self.job()).await;
            taken.map_err(|error| BrokerError::Closed { reason: error.to_string() })?;
        }
        self.local.publish(event).await
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.local.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        self.local.request(topic, source, body, timeout).await
    }
}
