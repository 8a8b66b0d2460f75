use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::InFlight;
use crate::broker::{Broker, BrokerError};
use crate::contract::{HostError, PollerHost};
use crate::wire::{HostCall, HostRequest, RpcError, answer_to, error_body, host_error_body, result_body, topics};

/// Calls of one plugin that are answered at once; more wait.
const MAX_CALLS: usize = 64;

/// Answers what `plugin` asks on `daemon.rpc.<plugin>`, each call through the host of the tick that it belongs to. Ends
/// with the broker.
///
/// # Errors
/// [`BrokerError`] where the topic cannot be listened to.
pub async fn serve_calls(broker: Arc<dyn Broker>, in_flight: InFlight, plugin: String) -> Result<(), BrokerError> {
    let mut calls = broker.subscribe(&topics::calls(&plugin), Some("nexo-poller")).await?;
    let slots = Arc::new(Semaphore::new(MAX_CALLS));
    let mut running = JoinSet::new();
    while let Some(delivery) = calls.next_request().await {
        while running.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let (broker, in_flight, plugin) = (Arc::clone(&broker), in_flight.clone(), plugin.clone());
        running.spawn(async move {
            let _slot = slot;
            let (body, reply_to) = delivery.request();
            let answer = match delivery.fault() {
                Some(fault) => error_body(&fault),
                None => answer_call(&in_flight, &plugin, body).await,
            };
            if let Some(reply_to) = reply_to
                && let Err(error) = broker.respond(&reply_to, "daemon", answer).await
            {
                tracing::warn!(plugin, %error, "the answer to a plugin's call could not be sent");
            }
        });
    }
    Ok(())
}

/// The body that answers one call of `plugin`, under the call's own id.
pub(super) async fn answer_call(in_flight: &InFlight, plugin: &str, body: &Value) -> Value {
    answer_to(body, outcome(in_flight, plugin, body).await)
}

async fn outcome(in_flight: &InFlight, plugin: &str, body: &Value) -> Value {
    let call = match HostCall::read(body) {
        Ok(call) => call,
        Err(error) => return error_body(&error),
    };
    let host = match in_flight.host_of(plugin, &call) {
        Ok(host) => host,
        Err(error) => return error_body(&error),
    };
    match perform(&*host, call).await {
        Ok(result) => result_body(result),
        Err(Failure::Malformed(error)) => error_body(&error),
        Err(Failure::Host(error)) => host_error_body(&error),
    }
}

enum Failure {
    Malformed(RpcError),
    Host(HostError),
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

async fn perform(host: &dyn PollerHost, call: HostCall) -> Result<Value, Failure> {
    match HostRequest::read(call).map_err(Failure::Malformed)? {
        HostRequest::CredentialsGet { channel, .. } => Ok(host.credentials_get(channel).await?),
        HostRequest::Log { level, message, fields } => {
            host.log(level, message, fields).await?;
            Ok(Value::Null)
        }
        HostRequest::MetricInc { name, labels } => {
            host.metric_inc(name, labels).await?;
            Ok(Value::Null)
        }
        HostRequest::LlmInvoke(request) => Ok(json!(host.llm_invoke(request).await?)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::contract::{LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollContext};

    /// Answers with what it was asked.
    struct Echo;

    #[async_trait]
    impl PollerHost for Echo {
        async fn broker_publish(&self, _: String, _: Vec<u8>) -> Result<(), HostError> {
            Ok(())
        }

        async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
            Ok(json!({"channel": channel}))
        }

        async fn log(&self, _: LogLevel, _: String, _: Value) -> Result<(), HostError> {
            Ok(())
        }

        async fn metric_inc(&self, _: String, _: Value) -> Result<(), HostError> {
            Ok(())
        }

        async fn llm_invoke(&self, _: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
            Err(HostError::unavailable("no model"))
        }
    }

    fn tick() -> PollContext {
        PollContext {
            job_id: "ana_jira".to_owned(),
            agent_id: "ana".to_owned(),
            kind: "jira",
            config: json!({}),
            cursor: None,
            now: chrono::DateTime::UNIX_EPOCH,
            interval_hint: Duration::ZERO,
            cancel: CancellationToken::new(),
            host: Arc::new(Echo),
        }
    }

    fn call(method: &str, params: &Value, agent: &str, job: &str) -> Value {
        json!({"method": method, "params": params, "agent_id": agent, "job_id": job})
    }

    #[tokio::test]
    async fn a_call_is_answered_by_the_host_of_its_own_tick_and_only_while_that_runs() {
        let in_flight = InFlight::default();
        let channel = json!({"channel": "google", "agent_id": "ana"});
        let body = call("credentials_get", &channel, "ana", "ana_jira");
        let place = in_flight.enter("jira", &tick());
        assert_eq!(answer_call(&in_flight, "jira", &body).await, json!({"result": {"channel": "google"}}));
        drop(place);
        let late = answer_call(&in_flight, "jira", &body).await;
        assert_eq!(late["error"]["code"], -32002);
        assert_eq!(
            late["error"]["message"],
            "`credentials_get` is answered only while a tick runs, and plugin `jira` runs none for job `ana_jira`"
        );
    }

    #[tokio::test]
    async fn a_plugin_that_names_another_agent_or_anothers_job_is_refused() {
        let in_flight = InFlight::default();
        let _place = in_flight.enter("jira", &tick());
        let (own, bobs) = (json!({"channel": "google"}), json!({"channel": "google", "agent_id": "bob"}));
        for (plugin, body) in [
            ("jira", call("credentials_get", &own, "bob", "ana_jira")),
            ("jira", call("credentials_get", &bobs, "ana", "ana_jira")),
            ("jira", call("credentials_get", &own, "ana", "bob_jira")),
            ("rss", call("credentials_get", &own, "ana", "ana_jira")),
        ] {
            assert_eq!(answer_call(&in_flight, plugin, &body).await["error"]["code"], -32002, "{plugin}: {body}");
        }
    }

    #[tokio::test]
    async fn a_call_with_an_id_is_answered_under_it_whatever_the_answer_is() {
        let in_flight = InFlight::default();
        let _place = in_flight.enter("jira", &tick());
        for (method, id) in [("log", json!(7)), ("dance", json!("a"))] {
            let mut body = call(method, &json!({"message": "m"}), "ana", "ana_jira");
            body["id"] = id.clone();
            assert_eq!(answer_call(&in_flight, "jira", &body).await["id"], id);
        }
        let mut odd = call("log", &json!({"message": "m"}), "ana", "ana_jira");
        for id in [json!(null), json!({"a": 1}), json!("x".repeat(2000))] {
            odd["id"] = id;
            assert_eq!(answer_call(&in_flight, "jira", &odd).await, json!({"result": null}));
        }
    }

    #[tokio::test]
    async fn an_unknown_method_and_malformed_parameters_have_their_codes() {
        let in_flight = InFlight::default();
        let _place = in_flight.enter("jira", &tick());
        for (body, code) in [
            (call("dance", &json!({}), "ana", "ana_jira"), -32601),
            (call("credentials_get", &json!({"channel": 7}), "ana", "ana_jira"), -32602),
            (call("llm_invoke", &json!({"prompt": "secret"}), "ana", "ana_jira"), -32602),
            (call("llm_invoke", &json!({"provider": "x", "model": "y", "messages": []}), "ana", "ana_jira"), -32001),
            (json!({"params": {}}), -32600),
            (json!(null), -32600),
        ] {
            let answer = answer_call(&in_flight, "jira", &body).await;
            assert_eq!(answer["error"]["code"], code, "{body} was answered {answer}");
            assert!(!answer.to_string().contains("secret"));
        }
    }
}
