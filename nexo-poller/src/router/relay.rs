//! Calls of plugins that several daemons share.
//!
//! A plugin asks on `daemon.rpc.<plugin>` and does not know which daemon runs its tick; one of them gets the call (a queue
//! group), and it may be another one. That one passes it on to all of them on a topic of the daemons' own, which plugins
//! have no right to. Whoever runs the tick says so at once and answers the plugin itself. Where nobody does, the call is
//! refused as it is on one machine: nothing of this can be seen by a plugin, ours or another's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::InFlight;
use super::calls::answer_call;
use crate::broker::{Broker, BrokerError, Delivery, Subscription};
use crate::wire::{ReplyTo, result_body};

/// Calls of one plugin that are answered at once; more wait.
const MAX_CALLS: usize = 64;

/// Whoever runs the tick says so within this.
const OWNER_SAYS: Duration = Duration::from_secs(1);

/// Answers what `plugin` asks, together with all other daemons on `broker`. Ends with the broker.
///
/// # Errors
/// [`BrokerError`] where the topics cannot be listened to.
pub async fn serve_relayed_calls(
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    plugin: String,
) -> Result<(), BrokerError> {
    let calls = broker.subscribe(&format!("daemon.rpc.{plugin}"), Some("nexo-poller")).await?;
    let passed_on = broker.subscribe(&relay_topic(&plugin), None).await?;
    let relay = Relay { broker, in_flight, plugin };
    tokio::join!(
        serve(calls, |delivery| {
            let relay = relay.clone();
            async move { relay.call(&delivery).await }
        }),
        serve(passed_on, |delivery| {
            let relay = relay.clone();
            async move { relay.passed_on(&delivery).await }
        }),
    );
    Ok(())
}

fn relay_topic(plugin: &str) -> String {
    format!("daemon.relay.{plugin}")
}

/// Handles each message in a task of its own.
async fn serve<F: Future<Output = ()> + Send + 'static>(mut messages: Subscription, handle: impl Fn(Delivery) -> F) {
    let slots = Arc::new(Semaphore::new(MAX_CALLS));
    let mut running = JoinSet::new();
    while let Some(delivery) = messages.next().await {
        while running.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let handled = handle(delivery);
        running.spawn(async move {
            let _slot = slot;
            handled.await;
        });
    }
}

#[derive(Clone)]
struct Relay {
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    plugin: String,
}

impl Relay {
    /// A plugin's call.
    async fn call(&self, delivery: &Delivery) {
        let (body, Some(reply_to)) = delivery.request() else { return };
        let job = body.get("job_id").and_then(Value::as_str).unwrap_or_default();
        if !self.in_flight.runs(&self.plugin, job) && self.taken_by_another(body, job, &reply_to).await {
            return;
        }
        // Without an owner this is the refusal.
        self.answer(body, &reply_to).await;
    }

    async fn taken_by_another(&self, body: &Value, job: &str, reply_to: &ReplyTo) -> bool {
        let call = json!({"method": "take_call", "params": {
            "job_id": job, "call": body, "reply_to": reply_to.topic, "bare": reply_to.bare,
        }});
        self.broker.request(&relay_topic(&self.plugin), "daemon", call, OWNER_SAYS).await.is_ok()
    }

    /// A call that another daemon got.
    async fn passed_on(&self, delivery: &Delivery) {
        let (body, Some(owner_says)) = delivery.request() else { return };
        let Some(params) = body.get("params") else { return };
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        if !self.in_flight.runs(&self.plugin, text("job_id")) {
            return;
        }
        let taken = result_body(json!({"taken": true}));
        if self.broker.respond(&owner_says, "daemon", taken).await.is_err() {
            // Then the other one refuses the call, and one answer is enough.
            return;
        }
        let bare = params.get("bare").and_then(Value::as_bool).unwrap_or_default();
        let reply_to = ReplyTo { topic: text("reply_to").to_owned(), bare };
        self.answer(params.get("call").unwrap_or(&Value::Null), &reply_to).await;
    }

    async fn answer(&self, call: &Value, reply_to: &ReplyTo) {
        let answer = answer_call(&self.in_flight, &self.plugin, call).await;
        if let Err(error) = self.broker.respond(reply_to, "daemon", answer).await {
            tracing::warn!(plugin = self.plugin, %error, "the answer to a plugin's call could not be sent");
        }
    }
}
