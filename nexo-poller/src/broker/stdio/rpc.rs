use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::methods::Carried;
use crate::wire::Event;

/// One line of the bridge: a JSON-RPC 2.0 request, notification or response. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub struct Frame<'l> {
    /// Present in requests and responses; any JSON.
    #[serde(default)]
    id: Option<Value>,
    #[serde(default, borrow)]
    method: Option<std::borrow::Cow<'l, str>>,
    #[serde(default, borrow)]
    params: Option<&'l RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    result: Option<&'l RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    error: Option<&'l RawValue>,
}

/// A `null` that stands there is not the same as nothing: a result may be null.
fn present<'l, D: serde::Deserializer<'l>>(deserializer: D) -> Result<Option<&'l RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A frame by what it asks of its reader.
#[derive(Debug)]
pub enum FrameKind<'l> {
    /// To be answered under `id`.
    Request {
        /// Repeated in the answer.
        id: Value,
        /// The method.
        method: std::borrow::Cow<'l, str>,
        /// Its parameters, unread.
        params: Option<&'l RawValue>,
    },
    /// Not to be answered.
    Notification {
        /// The method.
        method: std::borrow::Cow<'l, str>,
        /// Its parameters, unread.
        params: Option<&'l RawValue>,
    },
    /// The answer to the request `id`.
    Response {
        /// The request's id.
        id: Value,
        /// The result or the error, unread.
        outcome: Result<&'l RawValue, &'l RawValue>,
    },
}

impl<'l> Frame<'l> {
    /// Reads one line; `None` where it is no JSON-RPC frame.
    #[must_use]
    pub fn read(line: &'l str) -> Option<FrameKind<'l>> {
        let frame: Self = serde_json::from_str(line).ok()?;
        match (frame.method, frame.id) {
            (Some(method), Some(id)) => Some(FrameKind::Request { id, method, params: frame.params }),
            (Some(method), None) => Some(FrameKind::Notification { method, params: frame.params }),
            (None, id) => {
                let outcome = match (frame.error, frame.result) {
                    (Some(error), _) if error.get() != "null" => Err(error),
                    (_, Some(result)) => Ok(result),
                    _ => return None,
                };
                Some(FrameKind::Response { id: id.unwrap_or(Value::Null), outcome })
            }
        }
    }
}

#[derive(Serialize)]
struct Outgoing<'f, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'f Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'f Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

impl<P> Default for Outgoing<'_, P> {
    fn default() -> Self {
        Self { jsonrpc: "2.0", id: None, method: None, params: None, result: None, error: None }
    }
}

fn line(frame: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    // Writing to memory cannot fail, and no type here has keys that are not strings.
    if serde_json::to_writer(&mut bytes, frame).is_err() {
        bytes.clear();
    }
    bytes.push(b'\n');
    bytes
}

/// The line of a `broker.event` or `broker.publish`.
pub(super) fn carry(method: &'static str, event: &Event) -> Vec<u8> {
    notification(method, &Carried::of(event))
}

/// The line of a notification.
pub(super) fn notification(method: &'static str, params: &impl Serialize) -> Vec<u8> {
    line(&Outgoing { method: Some(method), params: Some(params), ..Outgoing::default() })
}

/// The line that is a bare body instead of a frame: the request for one tick, and its answer.
pub(super) fn body(body: &Value) -> Vec<u8> {
    line(body)
}

/// The line of a request.
#[cfg(feature = "router")]
pub(super) fn request(id: &Value, method: &'static str, params: &impl Serialize) -> Vec<u8> {
    line(&Outgoing { id: Some(id), method: Some(method), params: Some(params), ..Outgoing::default() })
}

/// The line that answers a request.
pub(super) fn result(id: &Value, result: &Value) -> Vec<u8> {
    line(&Outgoing::<()> { id: Some(id), result: Some(result), ..Outgoing::default() })
}

/// The line that refuses a request.
pub(super) fn refusal(id: &Value, code: i64, message: &str) -> Vec<u8> {
    let error = serde_json::json!({"code": code, "message": message});
    line(&Outgoing::<()> { id: Some(id), error: Some(error), ..Outgoing::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::broker::stdio::methods::{EVENT, PUBLISH, SHUTDOWN, Shutdown};

    /// The parameters of a line, which must be a notification of `method`.
    fn params<'l>(line: &'l [u8], method: &str) -> Option<&'l RawValue> {
        let line = str::from_utf8(line).unwrap().strip_suffix('\n').unwrap();
        let Some(FrameKind::Notification { method: found, params }) = Frame::read(line) else { panic!("{line}") };
        assert_eq!(found, method);
        params
    }

    proptest! {
        #[test]
        fn an_event_is_carried_both_ways_as_it_is(topic in "[a-z]{1,5}(\\.[a-z]{1,5}){0,3}", text in ".{0,20}") {
            let event = Event::new(topic, "jira", json!({"text": text}));
            for method in [EVENT, PUBLISH] {
                let line = carry(method, &event);
                prop_assert_eq!(Carried::read(params(&line, method)), Some(event.clone()));
            }
        }

        #[test]
        fn the_reason_of_a_shutdown_arrives_as_it_was_said(reason in ".{0,20}") {
            let line = notification(SHUTDOWN, &Shutdown { reason: reason.as_str().into() });
            prop_assert_eq!(Shutdown::reason(params(&line, SHUTDOWN)), reason);
        }
    }

    #[test]
    fn frames_are_spelled_as_published_plugins_and_daemons_know_them() {
        let text = |line: Vec<u8>| String::from_utf8(line).unwrap();
        let shutdown = Shutdown { reason: "r".into() };
        assert_eq!(
            text(notification(SHUTDOWN, &shutdown)),
            "{\"jsonrpc\":\"2.0\",\"method\":\"shutdown\",\"params\":{\"reason\":\"r\"}}\n"
        );
        assert_eq!(
            text(result(&json!(1), &json!({"ok": true}))),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":true}}\n"
        );
        assert_eq!(text(body(&json!({"result": {}}))), "{\"result\":{}}\n");
    }

    #[test]
    fn a_null_result_is_an_answer_and_a_null_error_is_none() {
        let Some(FrameKind::Response { outcome: Ok(result), .. }) = Frame::read(r#"{"id":1,"result":null}"#) else {
            panic!("a null result answers");
        };
        assert_eq!(result.get(), "null");
        let both = Frame::read(r#"{"id":1,"result":{},"error":null}"#);
        assert!(matches!(both, Some(FrameKind::Response { outcome: Ok(_), .. })), "{both:?}");
        let refused = Frame::read(r#"{"id":{"odd":[1]},"error":{"code":1}}"#);
        assert!(matches!(refused, Some(FrameKind::Response { outcome: Err(_), .. })), "{refused:?}");
        assert!(Frame::read(r#"{"id":1}"#).is_none());
        assert!(Frame::read("[1]").is_none());
    }
}
