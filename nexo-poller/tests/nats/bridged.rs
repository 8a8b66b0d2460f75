//! A host that tells a plugin of a server and speaks to it through stdin.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use nexo_poller::prelude::*;
use nexo_poller_testkit::NatsServer;

const TOPIC: &str = "plugin.poller.chatty.tick";

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_a_host_bridges_leaves_the_server_before_it_answers_so_that_no_tick_comes_twice() {
    let server = NatsServer::start().unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut command = fixtures::chatty();
    command.env("NEXO_BROKER_URL", server.url());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));

    // While nobody speaks to it, or says anything else, it serves the server.
    stdin.write_all(b"hello\n{\"method\":\"initialize\"}\n").unwrap();
    let tick = json!({"kind": "chatty", "job_id": "a", "config": {}}).to_string();
    while client.request(TOPIC, tick.clone().into()).await.is_err() {
        tokio::task::yield_now().await;
    }

    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\",\"params\":{}}\n").unwrap();
    let mut line = String::new();
    tokio::task::block_in_place(|| stdout.read_line(&mut line)).unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&answer["id"], &answer["result"]["manifest"]["plugin"]["id"]), (&json!(7), &json!("chatty")));
    let refused = client.request(TOPIC, tick.into()).await.unwrap_err();
    assert_eq!(refused.kind(), async_nats::RequestErrorKind::NoResponders);

    let event = json!({"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "topic": TOPIC, "source": "daemon", "payload": {
        "reply_to": "_inbox.req.1", "payload": {"method": "poll_tick", "params": {"kind": "chatty", "job_id": "b", "config": {}}}}});
    writeln!(stdin, "{}", json!({"method": "broker.event", "params": {"topic": TOPIC, "event": event}})).unwrap();
    line.clear();
    tokio::task::block_in_place(|| stdout.read_line(&mut line)).unwrap();
    let frame: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&frame["method"], &frame["params"]["topic"]), (&json!("broker.publish"), &json!("_inbox.req.1")));
    assert_eq!(frame["params"]["event"]["payload"]["payload"]["result"]["next_cursor"], "MQ");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
