//! Calls of plugins that several daemons share.
//!
//! A plugin asks on `daemon.rpc.<plugin>` and does not know which daemon runs its tick. All of them hear the call; the one
//! that runs the tick says to the others that it is its own, on a topic of the daemons' which plugins have no right to,
//! and answers. Where none says so, each refuses it, and the plugin takes the first refusal. (With a queue group, a daemon
//! that hangs would swallow its share of all calls.) A plugin sees nothing of this, be it ours or another's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::InFlight;
use super::calls::answer_call;
use crate::broker::{Broker, BrokerError, Delivery, Subscription};
use crate::wire::{Event, RpcError, answer_to, code, error_body, topics};

/// Calls of one plugin that are handled at once; more wait.
const MAX_CALLS: usize = 1024;

/// Whoever runs the tick says so within this.
const OWNER_SAYS: Duration = Duration::from_secs(2);

/// What others have said is remembered for so long: it may come before the call itself.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Answers what `plugin` asks, together with all other daemons on `broker`. Ends with the broker.
///
/// # Errors
/// [`BrokerError`] where the topics cannot be listened to.
pub async fn serve_relayed_calls(
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    plugin: String,
) -> Result<(), BrokerError> {
    let notices = broker.subscribe(&topics::relay(&plugin), None).await?;
    let calls = broker.subscribe(&topics::calls(&plugin), None).await?;
    let relay = Relay { broker, in_flight, plugin, taken: Arc::default() };
    tokio::join!(relay.clone().hear(notices), relay.serve(calls));
    Ok(())
}

/// What a daemon says to the others: that it answers the call whose answer goes to `taken`.
#[derive(Serialize, Deserialize)]
struct Notice<'n> {
    taken: Cow<'n, str>,
}

#[derive(Clone)]
struct Relay {
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    plugin: String,
    taken: Arc<Taken>,
}

/// The calls that other daemons have said to be theirs, by where their answer goes.
#[derive(Default)]
struct Taken {
    calls: Mutex<HashMap<String, Instant>>,
    more: Notify,
}

impl Taken {
    fn add(&self, reply_to: &str) {
        {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.retain(|_, at| at.elapsed() < REMEMBERED);
            calls.insert(reply_to.to_owned(), Instant::now());
        }
        self.more.notify_waiters();
    }

    /// Waits until somebody has said that the call is theirs.
    async fn said(&self, reply_to: &str) {
        loop {
            // Before looking, so that nothing falls between.
            let more = self.more.notified();
            if self.calls.lock().unwrap_or_else(PoisonError::into_inner).contains_key(reply_to) {
                return;
            }
            more.await;
        }
    }
}

impl Relay {
    async fn hear(self, mut notices: Subscription) {
        while let Some(delivery) = notices.next().await {
            if let Ok(notice) = Notice::deserialize(&delivery.event.payload) {
                self.taken.add(&notice.taken);
            }
        }
    }

    async fn serve(self, mut calls: Subscription) {
        let slots = Arc::new(Semaphore::new(MAX_CALLS));
        let mut running = JoinSet::new();
        while let Some(delivery) = calls.next_request().await {
            while running.try_join_next().is_some() {}
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let relay = self.clone();
            running.spawn(async move {
                let _slot = slot;
                relay.call(&delivery).await;
            });
        }
    }

    async fn call(&self, delivery: &Delivery) {
        let (body, Some(reply_to)) = delivery.request() else { return };
        if !topics::takes_answers(&reply_to.topic) {
            let (plugin, topic) = (&self.plugin, &reply_to.topic);
            return tracing::warn!(
                plugin,
                topic,
                "a call that wants its answer where the plugin may not publish was dropped"
            );
        }
        let job = body.get("job_id").and_then(Value::as_str).unwrap_or_default();
        let answer = if let Some(fault) = delivery.fault() {
            error_body(&fault)
        } else if self.in_flight.runs(&self.plugin, job) {
            let notice = Event::new(
                topics::relay(&self.plugin),
                "daemon",
                json!(Notice { taken: reply_to.topic.as_str().into() }),
            );
            // The others only wait for the word; where it is lost, their refusal comes first, and the tick is repeated.
            let (_, answer) =
                tokio::join!(self.broker.publish(notice), answer_call(&self.in_flight, &self.plugin, body));
            answer
        } else if tokio::time::timeout(OWNER_SAYS, self.taken.said(&reply_to.topic)).await.is_ok() {
            return;
        } else {
            answer_to(body, error_body(&self.nobodys(job)))
        };
        if let Err(error) = self.broker.respond(&reply_to, "daemon", answer).await {
            tracing::warn!(plugin = self.plugin, %error, "the answer to a plugin's call could not be sent");
        }
    }

    /// Transient: whoever runs the tick may only have been slow to say so.
    fn nobodys(&self, job: &str) -> RpcError {
        let plugin = &self.plugin;
        let message = format!("no daemon says that it runs a tick of job `{job}` in plugin `{plugin}`");
        RpcError::new(code::TRANSIENT, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::LocalBroker;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_wants_its_answer_among_job_state_or_messages_gets_none() {
        let broker = Arc::new(LocalBroker::new());
        tokio::spawn(serve_relayed_calls(Arc::clone(&broker) as _, InFlight::default(), "jira".to_owned()));
        tokio::task::yield_now().await;
        let mut heard = broker.subscribe(">", None).await.unwrap();
        for topic in ["$KV.pollers.news", "plugin.outbound.slack.ops", "daemon.members.x", "_inbox.jira.1"] {
            let call = json!({"method": "credentials_get", "params": {}, "agent_id": "ana", "job_id": "x"});
            let message = json!({"topic": "daemon.rpc.jira", "payload": call, "reply_to": topic});
            broker.publish(Event::new("daemon.rpc.jira", "jira", message)).await.unwrap();
        }
        let mut answered = Vec::new();
        while let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(5), heard.next()).await {
            answered.push(delivery.event.topic.clone());
        }
        answered.retain(|topic| topic != "daemon.rpc.jira");
        assert_eq!(answered, ["_inbox.jira.1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_no_daemon_runs_a_tick_for_is_refused_and_the_asker_does_not_wait_for_its_deadline() {
        let broker = Arc::new(LocalBroker::new());
        for _ in 0..2 {
            tokio::spawn(serve_relayed_calls(Arc::clone(&broker) as _, InFlight::default(), "jira".to_owned()));
        }
        tokio::task::yield_now().await;
        let call = json!({"method": "credentials_get", "params": {}, "agent_id": "ana", "job_id": "late"});
        let asked = Instant::now();
        let answer = broker.request("daemon.rpc.jira", "jira", call, Duration::from_secs(60)).await.unwrap();
        assert_eq!(answer["error"]["code"], -32001);
        assert!(answer["error"]["message"].as_str().unwrap().contains("job `late`"), "{answer}");
        assert!(asked.elapsed() <= OWNER_SAYS + Duration::from_millis(10));
    }
}
