//! What a program of any kind publishes through the bridge can be read by those whose ids must be UUIDs.

use std::collections::HashSet;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use nexo_poller::broker::stdio::{Hello, ParentOptions, StdioBroker, StdioParent};
use nexo_poller::broker::{Broker as _, LocalBroker};
use nexo_poller::manifest::Manifest;
use nexo_poller::wire::Event;
use serde_json::json;
use tokio::net::UnixStream;

/// A channel: it hears the messages to itself.
const MANIFEST: &str = r#"
[plugin]
id = "mail"
version = "0.1.0"
name = "Mail"
[plugin.capabilities.broker]
subscribe = ["plugin.outbound.mail.>"]
publish = ["plugin.outbound.other.>"]
"#;

#[tokio::test]
async fn an_event_whose_id_or_session_others_could_not_read_is_made_readable_on_both_ways() {
    let (daemon_side, plugin_side) = StdStream::pair().unwrap();
    let manifest = Manifest::parse(MANIFEST, "test").unwrap();
    let hello = Hello::new(manifest, "mail-0.1.0");
    let (child, _session) = StdioBroker::start(plugin_side.try_clone().unwrap(), plugin_side, hello);
    daemon_side.set_nonblocking(true).unwrap();
    let (reader, writer) = UnixStream::from_std(daemon_side).unwrap().into_split();
    let broker = LocalBroker::new();
    let connecting = StdioParent::connect(reader, writer, Arc::new(broker.clone()), ParentOptions::default());
    let (_parent, _) = connecting.await.unwrap();

    let mut published = broker.subscribe("plugin.outbound.other.>", None).await.unwrap();
    let mut heard = child.subscribe("plugin.outbound.mail.>", None).await.unwrap();
    let odd = |topic: &str, id: &str| {
        let mut event = Event::with_id(id, topic, "mail", json!({"n": 1}));
        event.session_id = Some("today".to_owned());
        event
    };
    let mut ids = Vec::new();
    for id in ["issue-7", "issue-7", "", ""] {
        child.publish(odd("plugin.outbound.other.a", id)).await.unwrap();
        broker.publish(odd("plugin.outbound.mail.a", id)).await.unwrap();
        for event in [published.next().await.unwrap().event, heard.next().await.unwrap().event] {
            assert!(event.is_readable() && event.session_id.is_none(), "{event:?}");
            assert_eq!(event.payload, json!({"n": 1}));
            ids.push(event.id.clone());
        }
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 5, "one, and four that nobody named: {ids:?}");
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
}
