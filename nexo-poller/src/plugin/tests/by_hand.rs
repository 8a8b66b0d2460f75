use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;

use crate::broker::{Broker, LocalBroker};
use crate::manifest::{Declaration, DeclarationConflict, DeclaredPoller};
use crate::plugin::{TickGrace, TickServer};
use crate::prelude::*;

/// A poller that no macro has made, with state of its own.
struct Heartbeat {
    kind: &'static str,
    greeting: String,
}

impl DeclaredPoller for Heartbeat {
    const DECLARATION: Declaration =
        Declaration::new("heartbeat", crate::package!()).publish(&["plugin.outbound.console.*"]);
}

#[async_trait]
impl Poller for Heartbeat {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn description(&self) -> &'static str {
        "Says that it is alive."
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        ctx.publish("plugin.outbound.console.me", &json!({"to": "ops", "text": self.greeting})).await?;
        Ok(TickAck::new().items(1, 1))
    }
}

fn handler(kind: &'static str) -> PollerHandler {
    PollerHandler::new().with(Heartbeat { kind, greeting: "alive".into() })
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_is_written_by_hand_is_a_plugin() {
    let handler = handler("heartbeat");
    let manifest = handler.manifest().unwrap();
    manifest.check("made").unwrap();
    assert_eq!(
        (manifest.plugin.id.as_str(), manifest.plugin.version.as_str()),
        ("heartbeat", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(manifest.plugin.description, "Says that it is alive.");

    let broker = LocalBroker::new();
    let mut published = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let ticks = Arc::new(handler.ticks(Handle::current(), TickGrace::default()));
    let server = TickServer::new(Arc::new(broker.clone()), ticks, &manifest);
    tokio::spawn(async move { server.serve(std::future::pending()).await });
    while !broker.has_listeners("plugin.poller.heartbeat.tick") {
        yield_now().await;
    }
    let order = json!({"method": "poll_tick", "params": {"kind": "heartbeat", "job_id": "beat", "agent_id": "ana"}});
    let answer = broker.request("plugin.poller.heartbeat.tick", "daemon", order, Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer["result"], json!({"metrics": {"items_seen": 1, "items_dispatched": 1}}));
    assert_eq!(published.next().await.unwrap().event.payload, json!({"to": "ops", "text": "alive"}));
}

#[test]
fn a_poller_that_is_declared_as_another_kind_is_refused() {
    let error = handler("heart_beat").manifest().unwrap_err();
    assert!(matches!(error, DeclarationConflict::OtherKind { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "a poller of kind `heart_beat` is declared as kind `heartbeat`; `Poller::kind` and its declaration name one"
    );
}
