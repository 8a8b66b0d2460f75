use std::time::Duration;

use serde_json::{Value, json};

use super::{RpcError, code as codes};
use crate::contract::HostError;

/// `data.kind` of an error that says that the agent has no account on the channel. Daemons that do not send it answer
/// [`PERMANENT`](codes::PERMANENT) alone.
const CREDENTIALS_MISSING: &str = "credentials_missing";
/// `data.kind` of an error that says that the host is over a limit.
const RATE_LIMITED: &str = "rate_limited";

/// The body that answers a plugin's call with `error`. Next to code and message, which every plugin understands, `data`
/// says what a code cannot: that credentials are missing, or that a limit was hit.
#[must_use]
pub fn host_error_body(error: &HostError) -> Value {
    let mut object = RpcError::from(error).to_value();
    let extra = match error {
        HostError::CredentialsMissing { channel, reason } => {
            vec![("kind", json!(CREDENTIALS_MISSING)), ("channel", json!(channel)), ("reason", json!(reason))]
        }
        HostError::RateLimited { .. } => vec![("kind", json!(RATE_LIMITED))],
        _ => Vec::new(),
    };
    for (key, value) in extra {
        object["data"][key] = value;
    }
    json!({ "error": object })
}

/// The result that the answer to `call` carries. `channel` is what `credentials_get` asked for.
///
/// # Errors
/// The [`HostError`] that the answer stands for, by `data.kind` where the daemon sends it, else by code. A daemon that
/// sends none answers [`PERMANENT`](codes::PERMANENT) to a `credentials_get` that it has no account for.
pub fn open_host_answer(call: &str, channel: Option<&str>, mut body: Value) -> Result<Value, HostError> {
    let Some(error) = body.get("error").filter(|error| !error.is_null()) else {
        // `log` and `metric_inc` answer null; a daemon that leaves `result` out for them is understood too.
        return Ok(body.get_mut("result").map(Value::take).unwrap_or_default());
    };
    let RpcError { code, message, retry_after } = RpcError::read(error);
    let kind = error.pointer("/data/kind").and_then(Value::as_str);
    match (kind, channel) {
        (Some(CREDENTIALS_MISSING), _) | (None, Some(_)) if kind.is_some() || code == codes::PERMANENT => {
            let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let channel = text("/data/channel").or_else(|| channel.map(str::to_owned)).unwrap_or_default();
            Err(HostError::CredentialsMissing { channel, reason: text("/data/reason").unwrap_or(message) })
        }
        (Some(RATE_LIMITED), _) => Err(HostError::RateLimited { reason: message, retry_after }),
        _ if code == codes::TRANSIENT && retry_after.is_some_and(|after| after > Duration::ZERO) => {
            Err(HostError::RateLimited { reason: message, retry_after })
        }
        _ => Err(HostError::Rejected { call: call.to_owned(), code, message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ErrorClass;

    #[test]
    fn missing_credentials_and_limits_survive_the_wire() {
        for error in [
            HostError::CredentialsMissing { channel: "google".into(), reason: "no account of `ana`".into() },
            HostError::RateLimited { reason: "slow down".into(), retry_after: Some(Duration::from_secs(7)) },
            HostError::RateLimited { reason: "slow down".into(), retry_after: None },
        ] {
            let body = host_error_body(&error);
            assert_eq!(open_host_answer("credentials_get", Some("google"), body), Err(error));
        }
    }

    #[test]
    fn an_answer_of_a_daemon_without_kinds_is_classified_by_its_code() {
        let body = json!({"error": {"code": -32002, "message": "no google account"}});
        assert_eq!(
            open_host_answer("credentials_get", Some("google"), body.clone()),
            Err(HostError::CredentialsMissing { channel: "google".into(), reason: "no google account".into() })
        );
        // The same code means something else where no credentials were asked for.
        let refused = open_host_answer("log", None, body).unwrap_err();
        assert!(matches!(&refused, HostError::Rejected { code: -32002, .. }), "{refused:?}");
        assert_eq!(refused.class(), ErrorClass::Permanent);

        let body = json!({"error": {"code": -32601, "message": "method `credentials_get` is not known"}});
        let refused = open_host_answer("credentials_get", Some("google"), body).unwrap_err();
        assert!(matches!(refused, HostError::Rejected { code: -32601, .. }), "{refused:?}");
    }

    #[test]
    fn a_result_is_handed_over_and_a_missing_one_is_null() {
        assert_eq!(open_host_answer("log", None, json!({"result": {"a": 1}})), Ok(json!({"a": 1})));
        assert_eq!(open_host_answer("log", None, json!({"result": null})), Ok(Value::Null));
        assert_eq!(open_host_answer("log", None, json!({"error": null})), Ok(Value::Null));
        assert_eq!(open_host_answer("log", None, json!("odd")), Ok(Value::Null));
    }

    #[test]
    fn other_refusals_keep_the_class_of_their_cause() {
        for error in [
            HostError::Timeout { call: "x".into(), after: Duration::from_secs(1) },
            HostError::unavailable("gone"),
            HostError::payload("t", "not JSON"),
        ] {
            let class = error.class();
            assert_eq!(open_host_answer("x", None, host_error_body(&error)).unwrap_err().class(), class);
        }
    }
}
