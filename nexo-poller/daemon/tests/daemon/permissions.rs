//! Least privilege: a real server with the permissions that `nats-permissions` prints.

use std::time::Duration;

use nexo_poller::broker::{Broker, BrokerError, NatsBroker, NatsOptions};
use nexo_poller::wire::Event;
use nexo_poller_testkit::{NatsServer, NatsServerOptions};
use serde_json::json;

use crate::copies::{Copy, remote_home};

const OTHER: &str = r#"
manifest_version = 2
[plugin]
id = "other"
version = "0.1.0"
name = "Other"
[plugin.entrypoint]
command = "other"
[plugin.capabilities.broker]
subscribe = ["plugin.poller.other.tick", "_inbox.>"]
publish = ["daemon.rpc.other", "plugin.outbound.other.>", "_inbox.>"]
[plugin.poller]
kinds = ["other"]
broker_topic_prefix = "plugin.poller.other"
"#;

#[tokio::test]
async fn a_plugin_can_do_its_work_and_nothing_of_anybody_elses() {
    let jobs = [
        "id: speaks, kind: chatty, schedule: { every: 1h }, config: { do: publish }",
        "id: counts, kind: chatty, schedule: { every: 1h }, config: { do: count }",
    ];
    let asked = remote_home("nats://127.0.0.1:4222", ", state: pollers", &jobs);
    asked.write("manifests/other.toml", OTHER);
    let printed = asked.run(&["nats-permissions"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(!printed.stdout.contains(r#""_inbox.>"] }"#), "no plugin hears everybody's answers: {}", printed.stdout);
    let wide = asked.run(&["nats-permissions", "--shared-inbox"]);
    assert!(wide.stdout.contains(r#""_inbox.>"] }"#), "{wide:?}");
    let config = ["daemon", "chatty", "other"].iter().fold(printed.stdout, |config, name| {
        config.replace(&format!("$NEXO_{}_PASSWORD", name.to_uppercase()), &format!("\"{name}-pw\""))
    });
    let server = NatsServer::start_with(NatsServerOptions::default().with_config(config)).unwrap();
    let url = |name: &str| server.url().replace("://", &format!("://{name}:{name}-pw@"));

    let home = remote_home(&url("daemon"), ", state: pollers", &jobs);
    home.write("manifests/other.toml", OTHER);
    let mut daemon = home.boot();
    let copy = Copy::start(&url("chatty"));
    for job in ["speaks", "counts"] {
        let said = home.run(&["run", job]);
        assert_eq!(said.code, Some(0), "what it needs, it may do: {said:?}");
    }
    daemon.wait_for_out("ops ← hello");
    let said = home.run(&["cursor", "counts"]);
    assert!(said.code == Some(0) && !said.stdout.contains("cannot be shown"), "{said:?}");

    let options = NatsOptions::new(&url("other")).unwrap().with_name("other").with_patience(Duration::from_secs(2));
    let other = NatsBroker::connect(options).await.unwrap();
    other.publish(Event::new("plugin.outbound.other.a", "other", json!({}))).await.unwrap();
    for topic in [
        "plugin.outbound.console.console",
        "plugin.poller.chatty.tick",
        "daemon.rpc.chatty",
        "daemon.relay.chatty",
        "daemon.members.pollers",
        "_inbox.daemon.x.y",
        "_inbox.chatty.x.y",
        "$KV.pollers.counts",
    ] {
        let refused = other.publish(Event::new(topic, "other", json!({}))).await;
        assert!(matches!(refused, Err(BrokerError::Refused { .. })), "{topic}: {refused:?}");
    }
    for pattern in ["plugin.poller.chatty.tick", "plugin.poller.>", "_inbox.>", "_inbox.daemon.>", "daemon.>", ">"] {
        let refused = other.subscribe(pattern, None).await.map(|_| ());
        assert!(matches!(refused, Err(BrokerError::Refused { .. })), "{pattern}: {refused:?}");
    }
    assert!(copy.stop());
    daemon.stop();
}
