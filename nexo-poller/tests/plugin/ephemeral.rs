//! One process per tick: a line in, frames in between, a line out.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use nexo_poller::wire::{Event, open_request};
use serde_json::{Value, json};

use fixtures::chatty;

struct Tick {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Tick {
    fn start() -> Self {
        let mut child = chatty()
            .env("NEXO_POLLER_EPHEMERAL", "1")
            .env("NEXO_POLLER_PLUGIN_ID", "chatty")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn ask(config: &Value) -> Self {
        let mut tick = Self::start();
        let params = json!({"kind": "chatty", "job_id": "j", "agent_id": "ana", "config": config});
        tick.write(&json!({"method": "poll_tick", "params": params}).to_string());
        tick
    }

    fn write(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// The event of the next frame, which must be a publish.
    fn read_publish(&mut self) -> Event {
        let frame = self.read();
        assert_eq!((&frame["jsonrpc"], &frame["method"]), (&json!("2.0"), &json!("broker.publish")), "{frame}");
        let event: Event = serde_json::from_value(frame["params"]["event"].clone()).unwrap();
        assert_eq!(frame["params"]["topic"], event.topic.as_str());
        event
    }

    /// Answers a call that the tick made.
    fn answer(&mut self, call: &Event, body: Value) {
        let (_, reply_to) = open_request(&call.payload);
        let topic = reply_to.unwrap().topic;
        let event = Event::answer(&topic, "daemon", body);
        self.write(
            &json!({"jsonrpc": "2.0", "method": "broker.event", "params": {"topic": topic, "event": event}})
                .to_string(),
        );
    }

    /// Nothing but the end follows; what stderr held.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn one_line_is_answered_by_one_line_although_stdin_stays_open() {
    let mut tick = Tick::ask(&json!({}));
    let metrics = json!({"items_seen": 5, "items_dispatched": 2});
    assert_eq!(tick.read(), json!({"result": {"next_cursor": "MQ", "metrics": metrics}}));
    tick.end();
}

#[test]
fn a_daemon_that_closes_stdin_after_the_request_gets_its_answer() {
    let mut tick = Tick::ask(&json!({}));
    tick.stdin = None;
    assert_eq!(tick.read()["result"]["next_cursor"], "MQ");
    tick.end();
}

#[test]
fn publishes_and_calls_flow_in_between() {
    let mut tick = Tick::ask(&json!({"do": "publish"}));
    let published = tick.read_publish();
    assert_eq!((published.topic.as_str(), published.source.as_str()), ("plugin.outbound.console.console", "chatty"));
    assert_eq!(published.payload, json!({"to": "ops", "text": "hello"}));
    for method in ["log", "metric_inc"] {
        let call = tick.read_publish();
        assert_eq!(call.topic, "daemon.rpc.chatty");
        let (body, _) = open_request(&call.payload);
        assert_eq!((&body["method"], &body["agent_id"], &body["job_id"]), (&json!(method), &json!("ana"), &json!("j")));
        // What is no answer, or nobody's, is passed over.
        tick.write("garbage");
        tick.write(r#"{"jsonrpc":"2.0","method":"broker.event","params":{"topic":"_inbox.x","event":{"payload":1}}}"#);
        tick.answer(&call, json!({"result": null}));
    }
    assert_eq!(tick.read(), json!({"result": {}}));
    tick.end();
}

#[test]
fn under_a_daemon_that_takes_nothing_but_the_answer_a_poller_that_publishes_or_asks_is_paused_with_the_reason() {
    for config in [json!({"do": "publish"}), json!({"do": "deliver", "deliver": {"channel": "telegram", "to": "1"}})] {
        let mut tick = Tick::start();
        // The request waits in the pipe whose other end is closed.
        let params = json!({"kind": "chatty", "job_id": "j", "agent_id": "ana", "config": config});
        tick.write(&json!({"method": "poll_tick", "params": params}).to_string());
        tick.stdin = None;
        let error = tick.read()["error"].clone();
        assert_eq!(error["code"], -32002, "{config}: {error}");
        assert!(error["message"].as_str().unwrap().contains("lifecycle = \"long_lived\""), "{error}");
        tick.end();
    }
}

#[test]
fn a_call_that_no_answer_can_reach_is_a_transient_error_at_once() {
    let mut tick = Tick::ask(&json!({"do": "deliver", "deliver": {"channel": "telegram", "to": "1"}}));
    tick.read_publish();
    tick.stdin = None;
    let error = tick.read()["error"].clone();
    assert_eq!(error["code"], -32001);
    assert!(error["message"].as_str().unwrap().contains("closed stdin, so it answers no calls"), "{error}");
    tick.end();
}

#[test]
fn missing_credentials_are_permanent_and_named() {
    let mut tick = Tick::ask(&json!({"do": "deliver", "deliver": {"channel": "telegram", "to": "1"}}));
    let call = tick.read_publish();
    tick.answer(&call, json!({"error": {"code": -32002, "message": "ana has no telegram account"}}));
    let message = "agent has no credentials for channel `telegram`: ana has no telegram account";
    assert_eq!(tick.read()["error"], json!({"code": -32002, "message": message}));
    tick.end();
}

#[test]
fn stray_output_goes_to_stderr_and_no_child_eats_stdin() {
    let mut tick = Tick::ask(&json!({"do": "pollute"}));
    assert_eq!(tick.read(), json!({"result": {}}));
    let log = tick.end();
    assert!(log.contains("polluted by a child") && log.contains("polluted by a reader"), "{log}");
}

#[test]
fn a_panic_is_answered_and_its_message_is_nowhere() {
    let mut tick = Tick::ask(&json!({"do": "panic", "secret": "hunter2"}));
    let error = tick.read()["error"].clone();
    assert_eq!(error["code"], -32001);
    assert!(error["message"].as_str().unwrap().contains("panicked at fixtures/src/bin/fixture_chatty.rs:"), "{error}");
    let log = tick.end();
    assert!(log.contains("panicked at fixtures/src/bin/fixture_chatty.rs:"), "{log}");
    assert!(!log.contains("hunter2") && !error.to_string().contains("hunter2"), "{log} {error}");
}

#[test]
fn requests_that_make_no_sense_are_answered_with_the_code_that_says_so() {
    for (line, code) in [
        ("{oops", -32700),
        (r#"{"method":"poll_tock","params":{}}"#, -32601),
        (r#"{"method":"poll_tick","params":{"kind":"jira","job_id":"j"}}"#, -32601),
        (r#"{"method":"poll_tick","params":{"kind":"chatty"}}"#, -32600),
        (r#"{"kind":"chatty","job_id":"j","config":{"do":5}}"#, -32602),
        (r#"{"kind":"chatty","job_id":"j","cursor":"no base64!"}"#, -32002),
    ] {
        let mut tick = Tick::start();
        tick.write(line);
        assert_eq!(tick.read()["error"]["code"], code, "{line}");
        tick.end();
    }
}

#[test]
fn without_a_request_it_says_what_it_waited_for() {
    let mut tick = Tick::start();
    tick.stdin = None;
    let output = tick.child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("plugin `chatty`: stdin ended before a request"), "{log}");
}
