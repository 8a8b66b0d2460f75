use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::manifest::{Manifest, PluginSection};
use crate::wire::Event;
#[cfg(feature = "router")]
use crate::wire::TooDeep;

/// Daemon to child, a request: who are you?
pub(super) const INITIALIZE: &str = "initialize";
/// Daemon to child: finish what runs. A request where the child is to say when it has, else a notification.
pub(super) const SHUTDOWN: &str = "shutdown";
/// Daemon to child, a notification: a message that the child has subscribed to, or an answer to it.
pub(super) const EVENT: &str = "broker.event";
/// Daemon to child, a notification: a tick is to end. A child that does not know it goes on, as it would without.
pub(super) const CANCEL: &str = "tick.cancel";
/// Child to daemon, a notification: a message of the child.
pub(super) const PUBLISH: &str = "broker.publish";

/// What `initialize` tells the child.
#[cfg(feature = "router")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Initialize<'v> {
    pub(super) nexo_version: Cow<'v, str>,
}

/// What the child answers to `initialize`. The daemon reads it with [`Manifest::from_handshake`], which names each fault.
#[derive(Debug, Serialize)]
pub(super) struct Introduction<'m> {
    manifest: PluginPart<'m>,
    server_version: &'m str,
}

/// A handshake tells the plugin's part of a manifest alone.
#[derive(Debug, Serialize)]
struct PluginPart<'m> {
    plugin: &'m PluginSection,
}

impl<'m> Introduction<'m> {
    pub(super) fn new(manifest: &'m Manifest, server_version: &'m str) -> Self {
        Self { manifest: PluginPart { plugin: &manifest.plugin }, server_version }
    }
}

/// Why `shutdown` was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shutdown<'r> {
    pub(super) reason: Cow<'r, str>,
}

impl Shutdown<'_> {
    /// The reason in the parameters of a `shutdown`, which may be of any shape.
    pub(super) fn reason(params: Option<&RawValue>) -> String {
        let read = params.and_then(|params| serde_json::from_str::<Self>(params.get()).ok());
        read.map_or_else(|| "not said".to_owned(), |shutdown| shutdown.reason.into_owned())
    }
}

/// What `broker.event` and `broker.publish` carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Carried<'e> {
    #[serde(default)]
    pub(super) topic: Cow<'e, str>,
    pub(super) event: Cow<'e, Event>,
}

impl<'e> Carried<'e> {
    /// `event`, under its own topic.
    pub(super) fn of(event: &'e Event) -> Self {
        Self { topic: event.topic.as_str().into(), event: Cow::Borrowed(event) }
    }
}

impl Carried<'static> {
    /// The event of a `broker.event` or `broker.publish`, under the topic that the frame names.
    pub(super) fn read(params: Option<&RawValue>) -> Option<Event> {
        let Self { topic, event } = serde_json::from_str(params?.get()).ok()?;
        let mut event = event.into_owned();
        if !topic.is_empty() {
            event.topic = topic.into_owned();
        }
        (!event.topic.is_empty()).then_some(event)
    }

    /// The same of an event that nests too deep to be read.
    #[cfg(feature = "router")]
    pub(super) fn read_too_deep(params: Option<&RawValue>) -> Option<TooDeep> {
        #[derive(Deserialize)]
        struct Unread<'p> {
            #[serde(default, borrow)]
            topic: Cow<'p, str>,
            #[serde(borrow)]
            event: &'p RawValue,
        }

        let Unread { topic, event } = serde_json::from_str(params?.get()).ok()?;
        let mut deep = TooDeep::read(event.get())?;
        if !topic.is_empty() {
            deep.event.topic = topic.into_owned();
        }
        (!deep.event.topic.is_empty()).then_some(deep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shutdown_without_a_reason_is_one() {
        for params in ["null", "{}", "[]", r#"{"reason":7}"#] {
            assert_eq!(Shutdown::reason(Some(&RawValue::from_string(params.to_owned()).unwrap())), "not said");
        }
        assert_eq!(Shutdown::reason(None), "not said");
    }

    #[test]
    fn a_frame_that_names_another_topic_than_its_event_goes_by_the_frame() {
        let carried = |topic: &str, inner: &str| {
            let params = json!({"topic": topic, "event": {"topic": inner, "payload": 1}}).to_string();
            Carried::read(Some(&RawValue::from_string(params).unwrap())).map(|event| event.topic)
        };
        assert_eq!(carried("a.b", "c.d").as_deref(), Some("a.b"));
        assert_eq!(carried("", "c.d").as_deref(), Some("c.d"));
        assert_eq!(carried("", ""), None);
    }
}
