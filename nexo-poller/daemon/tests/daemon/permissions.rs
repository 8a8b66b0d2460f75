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

    let options =
        NatsOptions::new(&url("other")).unwrap().with_name("other").with_reconnect_timeout(Duration::from_secs(2));
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
    // Whatever no plugin may publish on, the server refuses, or it is no topic.
    let hostile = fixtures::hostile_topics("other", "chatty");
    let (mut passed, mut own) = (Vec::new(), 0);
    for topic in &hostile {
        // Its own inbox: whoever is in it is the plugin itself.
        if topic.starts_with("_inbox.other.") {
            own += 1;
            continue;
        }
        match other.publish(Event::new(topic, "daemon", json!({"forged": true}))).await {
            Err(BrokerError::Refused { .. } | BrokerError::Topic(_) | BrokerError::WildcardTopic { .. }) => {}
            taken => passed.push((topic, taken)),
        }
    }
    let (tried, through) = (hostile.len() - own, passed.len());
    println!("nats: hostile topics tried {tried}, passed {through}");
    println!("figure rights.hostile_topics_nats value={through} unit=topics limit=0 ratio=0 note={tried}-tried");
    assert!(passed.is_empty(), "{passed:?}");
    let mut accounts = 0;
    for plugin in ["other", "chatty"] {
        let call = json!({"method": "credentials_get", "params": {"channel": "console", "agent_id": "ana"}, "agent_id": "ana", "job_id": "speaks"});
        let answer = other.request(&format!("daemon.rpc.{plugin}"), "chatty", call, Duration::from_secs(10)).await;
        accounts += usize::from(answer.is_ok_and(|body| body["result"].is_object()));
    }
    println!("nats: another agent's accounts asked for 2 times, obtained {accounts}");
    println!("figure rights.foreign_accounts_nats value={accounts} unit=accounts limit=0 ratio=0 note=2-calls");
    assert_eq!(accounts, 0);
    for pattern in ["plugin.poller.chatty.tick", "plugin.poller.>", "_inbox.>", "_inbox.daemon.>", "daemon.>", ">"] {
        let refused = other.subscribe(pattern, None).await.map(|_| ());
        assert!(matches!(refused, Err(BrokerError::Refused { .. })), "{pattern}: {refused:?}");
    }
    assert!(copy.stop());
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_plugin_that_knows_no_password_and_no_queue_group_is_let_in_as_the_one_user_that_needs_none() {
    let jobs = ["id: news, kind: other, schedule: { every: 1h }"];
    let asked = remote_home("nats://127.0.0.1:4222", "", &jobs);
    asked.write("manifests/chatty.toml", OTHER);
    let printed = asked.run(&["nats-permissions", "--shared-inbox"]).stdout;
    assert!(printed.ends_with("# no_auth_user: \"other\"\n"), "{printed}");
    let config = printed
        .replace("$NEXO_DAEMON_PASSWORD", "\"daemon-pw\"")
        .replace("$NEXO_OTHER_PASSWORD", "\"other-pw\"")
        .replace("# no_auth_user", "no_auth_user");
    let server = NatsServer::start_with(NatsServerOptions::default().with_config(config)).unwrap();
    let home = remote_home(&server.url().replace("://", "://daemon:daemon-pw@"), "", &jobs);
    home.write("manifests/chatty.toml", OTHER);
    let daemon = home.boot();

    let plugin = NatsBroker::connect(NatsOptions::new(&server.url()).unwrap().with_name("sdk")).await.unwrap();
    let mut ticks = plugin.subscribe("plugin.poller.other.tick", None).await.unwrap();
    plugin.subscribe("_inbox.>", None).await.unwrap();
    let answering = tokio::spawn(async move {
        let order = ticks.next().await.unwrap();
        let to = order.request().1.unwrap().topic;
        plugin.publish(Event::new(to, "other", json!({"result": {}}))).await.unwrap();
    });
    let said = home.run(&["run", "news"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    answering.await.unwrap();
    daemon.stop();
}
