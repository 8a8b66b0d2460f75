//! Children that are played by hand, so that they can misbehave.

use super::*;

/// A child that a test writes by hand.
pub(super) struct Puppet {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Puppet {
    pub(super) async fn read(&mut self) -> Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }

    pub(super) async fn write(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }

    /// Answers the handshake properly.
    pub(super) async fn introduce(&mut self) {
        let asked = self.read().await;
        assert_eq!(asked["method"], "initialize");
        assert_eq!(asked["jsonrpc"], "2.0");
        let plugin = serde_json::to_value(hello().manifest.plugin).unwrap();
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"manifest": {"plugin": plugin}, "server_version": "x"}});
        self.write(&format!("{answer}\n")).await;
    }
}

type Connecting = tokio::task::JoinHandle<Result<(StdioParent, Manifest), StdioError>>;

pub(super) fn puppet(broker: &LocalBroker, options: ParentOptions) -> (Puppet, Connecting) {
    let (daemon_side, plugin_side) = StdStream::pair().unwrap();
    let (reader, writer) = tokio_half(daemon_side);
    let broker: Arc<dyn Broker> = Arc::new(broker.clone());
    let connecting = tokio::spawn(StdioParent::connect(reader, writer, broker, options));
    let (reader, writer) = tokio_half(plugin_side);
    (Puppet { lines: BufReader::new(reader).lines(), writer }, connecting)
}

async fn refused(say: &str, options: ParentOptions) -> String {
    let (mut puppet, connecting) = puppet(&LocalBroker::new(), options);
    puppet.read().await;
    puppet.write(say).await;
    drop(puppet);
    connecting.await.unwrap().unwrap_err().to_string()
}

#[tokio::test]
async fn an_answer_under_another_id_is_a_hard_failure() {
    let message = refused("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n", ParentOptions::default()).await;
    assert_eq!(message, "it answered `initialize` under id 99 instead of 1: it does not speak this protocol");
}

#[tokio::test]
async fn a_child_that_only_prints_is_told_apart_from_a_silent_one() {
    let message = refused("hello\nworld\n", ParentOptions::default()).await;
    assert_eq!(
        message,
        "it closed its stdout before it answered `initialize` (2 lines of its stdout were no protocol: a plugin logs to stderr)"
    );
    assert_eq!(refused("", ParentOptions::default()).await, "it closed its stdout before it answered `initialize`");
}

#[tokio::test]
async fn a_handshake_that_is_refused_or_malformed_says_so() {
    let message =
        refused("{\"id\":1,\"error\":{\"code\":1,\"message\":\"no licence\"}}\n", ParentOptions::default()).await;
    assert_eq!(message, "it refused `initialize`: no licence");
    let message = refused("{\"id\":1,\"result\":{\"manifest\":{}}}\n", ParentOptions::default()).await;
    assert!(message.contains("missing field `plugin`"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_answers_is_given_up() {
    let (puppet, connecting) = puppet(&LocalBroker::new(), ParentOptions::default());
    let message = connecting.await.unwrap().unwrap_err().to_string();
    drop(puppet);
    assert_eq!(
        message,
        "it did not answer `initialize` within 10 s; is it a nexo plugin, and does it wait for something?"
    );
}

#[tokio::test]
async fn a_plugin_that_is_another_one_is_refused() {
    let mut found = hello().manifest;
    found.plugin.id = "rss".to_owned();
    let options = ParentOptions { found: Some(found), ..ParentOptions::default() };
    let (mut puppet, connecting) = puppet(&LocalBroker::new(), options);
    puppet.introduce().await;
    let message = connecting.await.unwrap().unwrap_err().to_string();
    assert_eq!(message, "it says it is plugin `jira`, but its manifest file says `rss`");
}

#[tokio::test]
async fn garbage_a_huge_line_and_broken_text_are_survived_and_the_next_good_line_counts() {
    let notes = Arc::new(Notes::default());
    let broker = LocalBroker::new();
    let mut outbound = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let (mut puppet, connecting) = puppet(&broker, options(&notes));
    puppet.introduce().await;
    let (_parent, _) = connecting.await.unwrap().unwrap();
    puppet.write("garbage\n\n{\"half\n").await;
    for _ in 0..100 {
        puppet.write(&"x".repeat(64 * 1024)).await;
    }
    puppet.write("\n").await;
    puppet.writer.write_all(b"\xff\xfe\n").await.unwrap();
    puppet.write("{\"method\":\"broker.publish\",\"params\":{\"topic\":\"plugin.outbound.a\"}}\n").await;
    let event = serde_json::to_value(Event::new("ignored", "x", json!({"n": 1}))).unwrap();
    let good = json!({"jsonrpc": "2.0", "method": "broker.publish", "params": {"topic": "plugin.outbound.a.b", "event": event}});
    puppet.write(&format!("{good}\n")).await;
    assert_eq!(outbound.next().await.unwrap().event.payload, json!({"n": 1}));
    assert_eq!(
        notes.all(),
        [
            "jira: a line that is not JSON-RPC",
            "jira: a line that is not JSON-RPC",
            "jira: a line of 6553600 bytes is over the limit of 1048576 bytes",
            "jira: a line is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
            "jira: a malformed `broker.publish`",
            "jira: lost: a `broker.publish` is malformed",
        ]
    );
}

#[tokio::test]
async fn json_that_nests_too_deep_fails_its_one_call_or_answer_and_a_message_of_it_does_not_go_out() {
    let notes = Arc::new(Notes::default());
    let broker = LocalBroker::new();
    let mut calls = broker.subscribe("daemon.rpc.jira", None).await.unwrap();
    let mut outbound = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let (mut puppet, connecting) = puppet(&broker, options(&notes));
    puppet.introduce().await;
    let (_parent, _) = connecting.await.unwrap().unwrap();
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let publish = |topic: &str, payload: &str| {
        let event = format!(r#"{{"id":"7","topic":"{topic}","source":"jira","payload":{payload}}}"#);
        format!(r#"{{"method":"broker.publish","params":{{"topic":"{topic}","event":{event}}}}}"#) + "\n"
    };

    let call = format!(r#"{{"reply_to":"_inbox.jira.1","payload":{{"method":"log","params":{{"fields":{deep}}}}}}}"#);
    puppet.write(&publish("daemon.rpc.jira", &call)).await;
    let call = calls.next().await.unwrap();
    let fault = call.fault().unwrap();
    assert_eq!((fault.code, crate::wire::HostCall::read(call.request().0).unwrap_err()), (-32002, fault.clone()));
    assert!(fault.message.contains("deeper than 100 levels"), "{fault}");
    broker.respond(&call.request().1.unwrap(), "daemon", crate::wire::error_body(&fault)).await.unwrap();
    assert_eq!(puppet.read().await["params"]["topic"], "_inbox.jira.1");

    let asking = broker.request("plugin.poller.jira.tick", "daemon", json!({"method": "poll_tick"}), LONG);
    let answering = async {
        let tick = puppet.read().await;
        let reply_to = tick["params"]["event"]["payload"]["reply_to"].as_str().unwrap().to_owned();
        puppet.write(&publish(&reply_to, &format!(r#"{{"payload":{{"result":{{"metrics":{deep}}}}}}}"#))).await;
    };
    let (answer, ()) = tokio::join!(asking, answering);
    assert_eq!(answer.unwrap()["error"]["code"], -32002);
    assert_eq!(notes.all(), Vec::<String>::new());

    puppet.write(&publish("plugin.outbound.a.b", &deep)).await;
    puppet.write(&publish("plugin.outbound.a.b", "1")).await;
    assert_eq!(outbound.next().await.unwrap().event.payload, json!(1));
    let lost = "jira: lost: a message on `plugin.outbound.a.b` cannot be read: it nests deeper than 100 levels";
    assert_eq!(notes.all(), ["jira: a malformed `broker.publish`", lost]);
}

#[tokio::test]
async fn a_plugin_that_does_not_read_holds_nobody_up() {
    let notes = Arc::new(Notes::default());
    let broker = LocalBroker::new();
    let (mut puppet, connecting) = puppet(&broker, options(&notes));
    puppet.introduce().await;
    let (_parent, _) = connecting.await.unwrap().unwrap();
    // The puppet reads nothing from here on. Its pipe and its queue fill up; then requests are refused at once.
    let big = "x".repeat(8 * 1024);
    let refused = async {
        let mut asking = tokio::task::JoinSet::new();
        loop {
            let (broker, body) = (broker.clone(), json!({"method": "poll_tick", "params": {"config": big}}));
            asking.spawn(async move { broker.request("plugin.poller.jira.tick", "daemon", body, LONG).await });
            tokio::task::yield_now().await;
            if let Some(Ok(Ok(answer))) = asking.try_join_next() {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(LONG, refused).await.expect("a full queue is answered at once");
    assert_eq!(answer["error"]["code"], -32001);
    assert!(notes.all().iter().any(|note| note.starts_with("jira: not reading")));
}

#[tokio::test]
async fn an_unknown_method_of_the_daemon_is_refused_by_the_plugin() {
    let (mut daemon_side, plugin_side) = StdStream::pair().unwrap();
    let (_child, _session) = StdioBroker::start(plugin_side.try_clone().unwrap(), plugin_side, hello());
    daemon_side.write_all(b"not json\n{\"id\":\"a\",\"method\":\"dance\"}\n").unwrap();
    let (reader, _writer) = tokio_half(daemon_side);
    let line = BufReader::new(reader).lines().next_line().await.unwrap().unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("a"), &json!(-32601)));
}

#[tokio::test]
async fn the_first_line_of_a_daemon_that_asks_for_one_tick_is_handed_over_and_may_lack_its_newline() {
    let huge = format!("{}\nnext\n", "x".repeat(MAX_LINE + 5));
    for (input, expected) in [
        ("\n \r\n{\"a\":1}\nmore\n", Some(Ok("{\"a\":1}"))),
        ("{\"a\":1}", Some(Ok("{\"a\":1}"))),
        (huge.as_str(), Some(Err(MAX_LINE as u64 + 5))),
        ("\n \n", None),
        ("", None),
    ] {
        let input = std::io::Cursor::new(input.to_owned());
        let (broker, mut session, first) = StdioBroker::start_one_tick(input, std::io::sink(), || false);
        let found = first.await.ok().map(|line| {
            line.map_err(|error| match error {
                FrameError::TooLong { length, .. } => length,
                FrameError::NotUtf8(_) => 0,
            })
        });
        assert_eq!(found.as_ref().map(|line| line.as_deref().map_err(|length| *length)), expected);
        assert_eq!(session.ended().await, SessionEnd::InputClosed);
        // Nobody can answer any more, so nobody waits.
        let error = broker.request("daemon.rpc.jira", "jira", json!({}), LONG).await.unwrap_err();
        assert!(error.to_string().contains("answers no calls"), "{error}");
    }
}

#[tokio::test]
async fn a_process_that_runs_one_tick_answers_nothing_but_its_tick() {
    let (daemon, child) = StdStream::pair().unwrap();
    let output = child.try_clone().unwrap();
    let (broker, mut session, first) = StdioBroker::start_one_tick(child, output, || false);
    let mut lines = std::io::BufReader::new(daemon.try_clone().unwrap());
    for line in
        ["{\"method\":\"poll_tick\"}", "{\"id\":1,\"method\":\"initialize\"}", "{\"id\":2,\"method\":\"shutdown\"}"]
    {
        writeln!(&daemon, "{line}").unwrap();
    }
    assert_eq!(first.await.unwrap().unwrap(), "{\"method\":\"poll_tick\"}");
    assert_eq!(session.ended().await, SessionEnd::Shutdown { reason: "not said".to_owned() });
    broker.answer_tick(&json!({"result": {}})).unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert_eq!(line, "{\"result\":{}}\n");
}
