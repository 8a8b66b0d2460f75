//! Both ends of the bridge, joined by real sockets; and the daemon's end against children that misbehave.
#![cfg(feature = "router")]

use std::io::Write as _;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::frame::{DEFAULT_MAX_LINE, FrameError};
use super::*;
use crate::broker::{Broker, LocalBroker};
use crate::manifest::{Manifest, PluginGrants};
use crate::wire::Event;

mod puppet;
mod rights;

use self::puppet::puppet;

const LONG: Duration = Duration::from_secs(30);

const MANIFEST: &str = r#"
manifest_version = 2
[plugin]
id = "jira"
version = "0.1.0"
name = "Jira"
[plugin.entrypoint]
command = "jira-poller"
[plugin.capabilities.broker]
subscribe = ["plugin.poller.jira.tick", "news.*", "_inbox.>"]
publish = ["daemon.rpc.jira", "plugin.outbound.>", "_inbox.>"]
[plugin.poller]
kinds = ["jira"]
broker_topic_prefix = "plugin.poller.jira"
"#;

fn hello() -> Hello {
    Hello { manifest: Manifest::parse(MANIFEST, "test").unwrap(), server_version: "jira-0.1.0".to_owned() }
}

/// Keeps what the daemon would log.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl BridgeObserver for Notes {
    fn bad_line(&self, plugin: &str, what: &str) {
        self.0.lock().unwrap().push(format!("{plugin}: {what}"));
    }

    fn not_allowed(&self, plugin: &str, topic: &str, _: &[String]) {
        self.0.lock().unwrap().push(format!("{plugin}: not allowed: {topic}"));
    }

    fn not_reading(&self, plugin: &str, topic: &str) {
        self.0.lock().unwrap().push(format!("{plugin}: not reading: {topic}"));
    }

    fn lost(&self, plugin: &str, why: &str) {
        self.0.lock().unwrap().push(format!("{plugin}: lost: {why}"));
    }
}

fn options(notes: &Arc<Notes>) -> ParentOptions {
    let grants = PluginGrants::new(vec![], vec!["news.*".parse().unwrap()]);
    ParentOptions { label: "child".to_owned(), grants, observer: Arc::clone(notes) as _, ..ParentOptions::default() }
}

fn tokio_half(stream: StdStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap().into_split()
}

struct Joined {
    broker: LocalBroker,
    parent: StdioParent,
    child: StdioBroker,
    session: StdioSession,
    notes: Arc<Notes>,
}

async fn joined() -> Joined {
    let (daemon_side, plugin_side) = StdStream::pair().unwrap();
    let (child, session) = StdioBroker::start(plugin_side.try_clone().unwrap(), plugin_side, hello());
    let notes = Arc::new(Notes::default());
    let broker = LocalBroker::new();
    let (reader, writer) = tokio_half(daemon_side);
    let (parent, manifest) =
        StdioParent::connect(reader, writer, Arc::new(broker.clone()), options(&notes)).await.unwrap();
    assert_eq!(manifest, hello().manifest);
    Joined { broker, parent, child, session, notes }
}

#[tokio::test]
async fn a_request_of_the_daemon_is_answered_by_the_plugin() {
    let joined = joined().await;
    let mut ticks = joined.child.subscribe("plugin.poller.jira.tick", Some("jira")).await.unwrap();
    let child = joined.child.clone();
    tokio::spawn(async move {
        while let Some(delivery) = ticks.next().await {
            let (body, reply_to) = delivery.request();
            let answer = json!({"result": {"echo": body["params"]}});
            child.respond(&reply_to.unwrap(), "jira", answer).await.unwrap();
        }
    });
    for n in 0..100 {
        let body = json!({"method": "poll_tick", "params": n});
        let answer = joined.broker.request("plugin.poller.jira.tick", "daemon", body, LONG).await.unwrap();
        assert_eq!(answer, json!({"result": {"echo": n}}));
    }
    assert_eq!(joined.notes.all(), Vec::<String>::new());
}

#[tokio::test]
async fn a_cancel_reaches_the_plugin_though_its_manifest_names_no_such_topic_and_not_as_an_event() {
    let joined = joined().await;
    let topic = "plugin.poller.jira.tick.cancel";
    let mut cancels = joined.child.subscribe(topic, None).await.unwrap();
    joined.broker.publish(Event::new(topic, "daemon", json!({"job_id": "a"}))).await.unwrap();
    let heard = tokio::time::timeout(LONG, cancels.next()).await.unwrap().unwrap();
    assert_eq!(heard.event.payload, json!({"job_id": "a"}));

    // A plugin of another's sees a method that it may not know, and no message that it has not asked for.
    let (daemon_side, plugin_side) = StdStream::pair().unwrap();
    let (reader, writer) = tokio_half(daemon_side);
    let (lines, mut answer) = tokio_half(plugin_side);
    let broker = LocalBroker::new();
    let notes = Arc::default();
    let connecting = StdioParent::connect(reader, writer, Arc::new(broker.clone()), options(&notes));
    let child = async {
        let mut lines = BufReader::new(lines).lines();
        let asked: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let plugin = json!({"manifest": {"plugin": hello().manifest.plugin}, "server_version": "jira-0.1.0"});
        let answered = json!({"jsonrpc": "2.0", "id": asked["id"], "result": plugin});
        answer.write_all(format!("{answered}\n").as_bytes()).await.unwrap();
        lines
    };
    let (connected, mut lines) = tokio::join!(connecting, child);
    let _parent = connected.unwrap();
    broker.publish(Event::new(topic, "daemon", json!({"job_id": "a"}))).await.unwrap();
    let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((&line["method"], &line["id"]), (&json!("tick.cancel"), &Value::Null));
}

#[tokio::test]
async fn a_call_of_the_plugin_is_answered_by_the_daemon_and_by_nobody_else() {
    let joined = joined().await;
    let mut calls = joined.broker.subscribe("daemon.rpc.jira", None).await.unwrap();
    let broker = joined.broker.clone();
    tokio::spawn(async move {
        while let Some(delivery) = calls.next().await {
            assert_eq!(delivery.event.source, "jira", "the bridge says who it is, whatever the plugin claims");
            let (body, reply_to) = delivery.request();
            broker.respond(&reply_to.unwrap(), "daemon", json!({"result": body["method"]})).await.unwrap();
        }
    });
    let body = json!({"method": "log", "params": {}});
    let answer = joined.child.request("daemon.rpc.jira", "somebody-else", body, LONG).await.unwrap();
    assert_eq!(answer, json!({"result": "log"}));
}

#[tokio::test]
async fn an_answer_in_somebody_elses_inbox_is_not_forwarded() {
    let joined = joined().await;
    let mut inbox = joined.child.subscribe("_inbox.>", None).await.unwrap();
    let mut news = joined.child.subscribe("news.*", None).await.unwrap();
    joined.broker.publish(Event::new("_inbox.req.others", "x", json!({"result": "secret"}))).await.unwrap();
    joined.broker.publish(Event::new("news.today", "x", json!(1))).await.unwrap();
    // The two subscriptions are forwarded by two tasks, so the first is given time by a second piece of news.
    assert_eq!(news.next().await.unwrap().event.payload, json!(1));
    joined.broker.publish(Event::new("news.today", "x", json!(2))).await.unwrap();
    assert_eq!(news.next().await.unwrap().event.payload, json!(2));
    let nothing = std::pin::pin!(inbox.next());
    assert!(futures_are_pending(nothing).await);
}

async fn futures_are_pending(future: impl Future + Unpin) -> bool {
    tokio::select! { biased; _ = future => false, () = std::future::ready(()) => true }
}

#[tokio::test]
async fn a_publish_outside_the_allowlist_never_reaches_the_broker() {
    let joined = joined().await;
    let mut everything = joined.broker.subscribe(">", None).await.unwrap();
    joined.child.publish(Event::new("plugin.poller.other.tick", "jira", json!({}))).await.unwrap();
    joined.child.publish(Event::new("plugin.outbound.telegram.bot", "jira", json!({"to": 1}))).await.unwrap();
    assert_eq!(everything.next().await.unwrap().event.topic, "plugin.outbound.telegram.bot");
    assert_eq!(joined.notes.all()[0], "jira: not allowed: plugin.poller.other.tick");
    assert!(joined.notes.all()[1].starts_with("jira: lost: `plugin.poller.other.tick` is outside"));
}

#[tokio::test]
async fn a_plugin_cannot_have_the_daemon_answer_on_a_topic_that_it_may_not_publish_on() {
    let joined = joined().await;
    let mut everything = joined.broker.subscribe(">", None).await.unwrap();
    let sneaky = Event::request("daemon.rpc.jira", "jira", "plugin.poller.other.tick", json!({"method": "log"}));
    joined.child.publish(sneaky).await.unwrap();
    joined.child.publish(Event::new("plugin.outbound.a", "jira", json!({}))).await.unwrap();
    assert_eq!(everything.next().await.unwrap().event.topic, "plugin.outbound.a");
    assert_eq!(joined.notes.all()[0], "jira: not allowed: plugin.poller.other.tick");
    assert!(joined.notes.all()[1].starts_with("jira: lost: `plugin.poller.other.tick` is outside"));
}

#[tokio::test]
async fn a_field_called_reply_to_in_an_ordinary_message_is_the_authors_own() {
    let joined = joined().await;
    let mut outbound = joined.broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let mail = json!({"to": "ana", "text": "hello", "reply_to": "bob@example.com"});
    joined.child.publish(Event::new("plugin.outbound.mail", "jira", mail.clone())).await.unwrap();
    assert_eq!(outbound.next().await.unwrap().event.payload, mail);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_where_it_is_published() {
    let joined = joined().await;
    let big = Event::new("plugin.outbound.a", "jira", json!("x".repeat(DEFAULT_MAX_LINE)));
    let refused = joined.child.publish(big).await.unwrap_err();
    assert!(matches!(refused, crate::broker::BrokerError::TooLarge { limit: DEFAULT_MAX_LINE, .. }), "{refused}");
}

#[tokio::test]
async fn an_answer_over_the_limit_arrives_as_an_error_that_says_so() {
    let joined = joined().await;
    let mut ticks = joined.child.subscribe("plugin.poller.jira.tick", None).await.unwrap();
    let asking = joined.broker.request("plugin.poller.jira.tick", "daemon", json!({"method": "poll_tick"}), LONG);
    let answering = async {
        let delivery = ticks.next().await.unwrap();
        let (_, reply_to) = delivery.request();
        let cursor = "x".repeat(DEFAULT_MAX_LINE);
        joined.child.respond(&reply_to.unwrap(), "jira", json!({"result": {"next_cursor": cursor}})).await.unwrap();
    };
    let (answer, ()) = tokio::join!(asking, answering);
    let error = answer.unwrap()["error"].clone();
    assert_eq!(error["code"], -32002);
    assert!(error["message"].as_str().unwrap().contains("keep a bounded window in the cursor"), "{error}");
}

#[tokio::test]
async fn the_topics_that_a_plugin_was_found_with_are_in_force_whatever_it_says() {
    let notes = Arc::new(Notes::default());
    let mut found = hello().manifest;
    found.plugin.capabilities.broker.publish.push("news.*".to_owned());
    let (mut puppet, connecting) =
        puppet(&LocalBroker::new(), ParentOptions { found: Some(found.clone()), ..options(&notes) });
    puppet.introduce().await;
    assert_eq!(connecting.await.unwrap().unwrap().1, found);

    let mut found = hello().manifest;
    found.plugin.capabilities.broker.subscribe.retain(|pattern| pattern != "news.*");
    let (mut puppet, connecting) =
        puppet::puppet(&LocalBroker::new(), ParentOptions { found: Some(found), ..options(&notes) });
    puppet.introduce().await;
    let refused = connecting.await.unwrap().unwrap_err().to_string();
    assert!(refused.starts_with("its binary wants to subscribe `news.*`, but its manifest file allows ["), "{refused}");
}

#[tokio::test]
async fn a_shutdown_is_acknowledged_once_the_plugin_has_finished() {
    let mut joined = joined().await;
    let ended = tokio::spawn(async move {
        let end = joined.session.ended().await;
        joined.session.acknowledge().unwrap();
        end
    });
    assert!(joined.parent.shutdown("test is over", LONG).await);
    assert_eq!(ended.await.unwrap(), SessionEnd::Shutdown { reason: "test is over".to_owned() });
}

#[tokio::test]
async fn the_plugin_learns_that_the_daemon_is_gone_and_open_calls_end() {
    let joined = joined().await;
    let (child, mut session) = (joined.child.clone(), joined.session);
    let call =
        tokio::spawn(async move { child.request("daemon.rpc.jira", "jira", json!({"method": "log"}), LONG).await });
    drop(joined.parent);
    assert_eq!(session.ended().await, SessionEnd::InputClosed);
    call.await.unwrap().unwrap_err();
}
