use crate::contract::ErrorClass;
use crate::contract::recording_host::RecordingHost;
use crate::prelude::*;

async fn send(deliver: Value, account: Result<Value, HostError>) -> Result<Vec<(String, Value)>, PollerError> {
    let host = RecordingHost::new(account);
    let deliver: Deliver = serde_json::from_value(deliver).unwrap();
    deliver.send(&host.tick(), "hello").await?;
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
    let long = "x".repeat(1000);
    for channel in ["", "a b", ">", "x.*", "a\0b", "a\nb", "a\u{202e}b", "a\u{200b}b", &long] {
        let host = RecordingHost::new(Ok(json!({"account_id": "a"})));
        let error = Deliver::new(channel, "12").send(&host.tick(), "hello").await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent, "channel {channel:?}");
        let read = serde_json::from_value::<Deliver>(json!({"channel": channel, "to": "12"}));
        assert!(read.unwrap_err().to_string().contains("is not a topic"), "channel {channel:?}");
    }
    let account = Ok(json!({"account_id": "y".repeat(250)}));
    send(json!({"channel": "telegram", "to": "12"}), account).await.unwrap_err();
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
