use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::depth::too_deep;
use super::{Event, RpcError, code, error_body};

/// Below this a text that cannot be read has another fault. A parser stops at 128 levels, some of which stand around an event.
const MOST_READ: usize = 120;

/// A message that nests too deep to be read.
pub(crate) struct TooDeep {
    /// The message with an error in place of its body: whoever asks is answered with it, and whoever waits for this answer gets
    /// it. One call fails, and nothing waits for a deadline.
    pub(crate) event: Event,
    /// It asks for an answer.
    pub(crate) asks: bool,
}

impl TooDeep {
    /// The message in `text`, an event that could not be read; `None` where depth was not the reason.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let error = error_for(text)?;
        let Outer { id, topic, source, payload } = serde_json::from_str(text).ok()?;
        // A payload that is not an object asks nothing.
        let inner: Inner<'_> = serde_json::from_str(payload.get()).unwrap_or_default();
        let reply_to = inner.reply_to.filter(|topic| !topic.is_empty());
        let asks = inner.payload.is_some() && reply_to.is_some();
        let event = match reply_to {
            Some(reply_to) if asks => Event::request(&topic, &source, &reply_to, error),
            _ => Event::answer(&topic, &source, error),
        };
        Some(Self { event: Event { id: id.into_owned(), ..event }, asks })
    }
}

/// The body that stands for `text`, which could not be read, where depth was the reason.
pub(crate) fn error_for(text: &str) -> Option<Value> {
    let deep = nesting(text.as_bytes()) > MOST_READ;
    deep.then(|| error_body(&RpcError::new(code::PERMANENT, format!("a JSON text cannot be read: {}", too_deep()))))
}

/// An event whose payload is not looked at.
#[derive(Deserialize)]
struct Outer<'t> {
    #[serde(default, borrow)]
    id: Cow<'t, str>,
    #[serde(default, borrow)]
    topic: Cow<'t, str>,
    #[serde(default, borrow)]
    source: Cow<'t, str>,
    #[serde(borrow)]
    payload: &'t RawValue,
}

/// A payload whose body is not looked at.
#[derive(Default, Deserialize)]
struct Inner<'t> {
    #[serde(default, borrow)]
    reply_to: Option<Cow<'t, str>>,
    #[serde(default)]
    payload: Option<IgnoredAny>,
}

/// How deep the brackets of a JSON text nest.
fn nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{open_answer, open_request};

    fn nested(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn depth_is_counted_in_brackets_outside_of_texts() {
        assert_eq!(nesting(br#"{"a":["[[[","\"[",{}]}"#), 3);
        assert_eq!(nesting(nested(500).as_bytes()), 500);
    }

    #[test]
    fn a_question_keeps_where_its_answer_goes_and_an_answer_becomes_an_error() {
        let deep = nested(300);
        let question = format!(
            r#"{{"id":"7","topic":"daemon.rpc.jira","source":"jira","payload":{{"reply_to":"_inbox.1","payload":{{"params":{deep}}}}}}}"#
        );
        let TooDeep { event, asks } = TooDeep::read(&question).unwrap();
        let (body, reply_to) = open_request(&event.payload);
        assert_eq!(
            (&*event.id, &*event.topic, reply_to.unwrap().topic, asks),
            ("7", "daemon.rpc.jira", "_inbox.1".into(), true)
        );
        assert_eq!(body["error"]["code"], -32002);

        let answer = format!(r#"{{"topic":"_inbox.1","payload":{{"payload":{{"result":{deep}}}}}}}"#);
        let TooDeep { event, asks } = TooDeep::read(&answer).unwrap();
        assert!(!asks);
        let error = &open_answer(event.payload)["error"]["message"];
        assert!(error.as_str().unwrap().contains("deeper than 100 levels"), "{error}");
        assert!(TooDeep::read(r#"{"topic":"a","payload":"#).is_none());
        assert!(TooDeep::read(&format!(r#"{{"topic":"a","payload":{}}}"#, nested(90))).is_none());
    }
}
