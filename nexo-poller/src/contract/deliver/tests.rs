use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::contract::ErrorClass;
use crate::prelude::*;

/// Knows one account and keeps what is published.
struct Outbox {
    account: Result<Value, HostError>,
    sent: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl PollerHost for Outbox {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        self.sent.lock().unwrap().push((topic, serde_json::from_slice(&payload).unwrap()));
        Ok(())
    }
    async fn credentials_get(&self, _: String) -> Result<Value, HostError> {
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

async fn send(deliver: Value, account: Result<Value, HostError>) -> Result<Vec<(String, Value)>, PollerError> {
    let host = Arc::new(Outbox { account, sent: Mutex::default() });
    let ctx = PollContext {
        job_id: "j".into(),
        agent_id: "ana".into(),
        kind: "rss",
        config: Value::Null,
        cursor: None,
        now: Utc::now(),
        interval_hint: Duration::from_secs(60),
        cancel: CancellationToken::new(),
        host: Arc::clone(&host) as Arc<dyn PollerHost>,
    };
    let deliver: Deliver = serde_json::from_value(deliver).unwrap();
    deliver.send(&ctx, "hello").await?;
    let sent = host.sent.lock().unwrap().clone();
    Ok(sent)
}

#[tokio::test]
async fn a_message_goes_to_the_agents_account_on_the_channel() {
    for deliver in [json!({"channel": "telegram", "to": "12"}), json!({"channel": "telegram", "recipient": "12"})] {
        let sent = send(deliver, Ok(json!({"account_id": "bot_1"}))).await.unwrap();
        assert_eq!(sent, [("plugin.outbound.telegram.bot_1".into(), json!({"to": "12", "text": "hello"}))]);
    }
}

#[tokio::test]
async fn an_account_or_channel_that_would_change_the_topic_is_refused() {
    let unusable = [json!({}), json!({"account_id": 5}), json!({"account_id": ""}), json!({"account_id": "a b"})];
    let wild = [json!({"account_id": "*"}), json!({"account_id": "a.>"}), json!({"account_id": "a..b"}), Value::Null];
    for account in unusable.into_iter().chain(wild) {
        let error = send(json!({"channel": "telegram", "to": "12"}), Ok(account)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert!(
            error.to_string().starts_with("agent `ana` has no usable `account_id` on channel `telegram`"),
            "{error}"
        );
    }
    for channel in ["", "a b", ">", "x.*"] {
        let error = send(json!({"channel": channel, "to": "12"}), Ok(json!({"account_id": "a"}))).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent, "channel {channel:?}");
    }
}

#[tokio::test]
async fn missing_credentials_stay_missing_credentials() {
    let missing = HostError::CredentialsMissing { channel: "telegram".into(), reason: "no account".into() };
    let error = send(json!({"channel": "telegram", "to": "12"}), Err(missing)).await.unwrap_err();
    assert!(matches!(error, PollerError::CredentialsMissing { .. }), "{error:?}");
}

#[test]
fn unknown_keys_of_a_delivery_are_refused() {
    let deliver = serde_json::from_value::<Deliver>(json!({"channel": "a", "to": "b", "chanel": "c"}));
    assert!(deliver.unwrap_err().to_string().contains("unknown field `chanel`"));
}
