//! A long-lived plugin, served over real pipes by a test that plays the daemon.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nexo_poller::manifest::Manifest;
use nexo_poller::wire::{Event, HostCall, open_answer, open_request};
use serde_json::{Value, json};

use fixtures::chatty;

/// More than enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon's side of one plugin process.
struct Plugin {
    child: Child,
    stdin: Option<ChildStdin>,
    frames: Receiver<Value>,
}

impl Plugin {
    fn spawn() -> Self {
        Self::spawn_as(chatty())
    }

    fn spawn_as(mut command: Command) -> Self {
        let mut child = command
            .env("CHATTY_TWO_KINDS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, frames) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                let frame = serde_json::from_str(&line).unwrap_or_else(|_| json!({"no protocol": line}));
                if sender.send(frame).is_err() {
                    break;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, frames }
    }

    /// A plugin after the handshake.
    fn start() -> Self {
        Self::spawn().introduced()
    }

    fn introduced(self) -> Self {
        let mut plugin = self;
        plugin.write(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"nexo_version": "0.3.0"}}));
        assert_eq!(plugin.read()["id"], 1);
        plugin
    }

    fn write(&mut self, frame: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{frame}").unwrap();
    }

    fn read(&mut self) -> Value {
        let frame = self.frames.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the plugin is silent"));
        assert_eq!(frame["jsonrpc"], "2.0", "no protocol on stdout: {frame}");
        frame
    }

    /// The event of the next frame, which must be a publish.
    fn read_publish(&mut self) -> Event {
        let frame = self.read();
        assert_eq!(frame["method"], "broker.publish", "{frame}");
        serde_json::from_value(frame["params"]["event"].clone()).unwrap()
    }

    fn send_event(&mut self, event: &Event) {
        let params = json!({"topic": event.topic, "event": event});
        self.write(&json!({"jsonrpc": "2.0", "method": "broker.event", "params": params}));
    }

    /// Orders a tick, to be answered on `_inbox.req.<job>`.
    fn order(&mut self, params: &Value) {
        let reply_to = format!("_inbox.req.{}", params["job_id"].as_str().unwrap());
        let body = json!({"method": "poll_tick", "params": params});
        self.send_event(&Event::request("plugin.poller.chatty.tick", "daemon", &reply_to, body));
    }

    /// The next answer to a tick: its job and its body. Calls of ticks are answered with null on the way.
    fn outcome(&mut self) -> (String, Value) {
        loop {
            let event = self.read_publish();
            match event.topic.strip_prefix("_inbox.req.") {
                Some(job) => return (job.to_owned(), open_answer(event.payload)),
                None => self.answer_call(&event),
            }
        }
    }

    fn answer_call(&mut self, event: &Event) {
        assert_eq!(event.topic, "daemon.rpc.chatty");
        let (_, reply_to) = open_request(&event.payload);
        let body = json!({"result": null});
        self.send_event(&Event::answer(&reply_to.unwrap().topic, "daemon", body));
    }

    fn tick(&mut self, kind: &str, config: &Value) -> Value {
        self.order(&json!({"kind": kind, "job_id": "j", "agent_id": "ana", "config": config}));
        self.outcome().1
    }

    /// Waits for the process to end by itself.
    fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the plugin does not exit");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn shut_down(&mut self) {
        self.write(&json!({"jsonrpc": "2.0", "id": 99, "method": "shutdown", "params": {"reason": "test"}}));
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // Only where a test has failed it still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_handshake_repeats_the_id_and_brings_the_manifest() {
    let mut plugin = Plugin::spawn();
    let params = json!({"nexo_version": "0.3.0"});
    plugin.write(&json!({"jsonrpc": "2.0", "id": "seven", "method": "initialize", "params": params}));
    let answer = plugin.read();
    assert_eq!((&answer["id"], &answer["result"]["server_version"]), (&json!("seven"), &json!("chatty-1.2.3")));
    let manifest: Manifest = serde_json::from_value(json!({
        "manifest_version": 2,
        "plugin": answer["result"]["manifest"]["plugin"],
    }))
    .unwrap();
    manifest.check("the handshake").unwrap();
    assert_eq!(manifest.plugin.poller.unwrap().kinds, ["chatty", "hasty"]);
}

#[test]
fn ticks_are_answered_and_shutdown_is_acknowledged() {
    let mut plugin = Plugin::start();
    for (cursor, next) in [(Value::Null, "MQ"), (json!("MQ"), "Mg")] {
        plugin.order(&json!({"kind": "chatty", "job_id": "j", "agent_id": "ana", "cursor": cursor, "config": null}));
        let (job, answer) = plugin.outcome();
        assert_eq!((job.as_str(), &answer["result"]["next_cursor"]), ("j", &json!(next)));
        assert_eq!(answer["next_cursor"], next, "published daemons read it here");
    }
    plugin.shut_down();
    let answer = plugin.read();
    assert_eq!((&answer["id"], &answer["result"]), (&json!(99), &json!({"ok": true})));
    assert!(plugin.wait().success());
}

#[test]
fn a_tick_publishes_and_calls_the_daemon() {
    let mut plugin = Plugin::start();
    plugin.order(&json!({"kind": "chatty", "job_id": "j", "agent_id": "ana", "config": {"do": "publish"}}));
    let published = plugin.read_publish();
    assert_eq!((published.topic.as_str(), published.source.as_str()), ("plugin.outbound.console.console", "chatty"));
    let call = plugin.read_publish();
    let (body, _) = open_request(&call.payload);
    let read = HostCall::read(body).unwrap();
    assert_eq!((read.method.as_str(), read.agent_id.as_str(), read.job_id.as_str()), ("log", "ana", "j"));
    plugin.answer_call(&call);
    assert_eq!(plugin.outcome().1["result"], json!({}));
}

#[test]
fn bad_orders_are_answered_with_the_code_that_says_so() {
    let mut plugin = Plugin::start();
    for (params, code, words) in [
        (json!({"kind": "jira", "job_id": "j"}), -32601, "it serves `chatty`, `hasty`"),
        (json!({"kind": "chatty", "job_id": "j", "config": {"do": 5}}), -32602, "config: `do`: "),
        (json!({"kind": "chatty", "job_id": "j", "cursor": "hunter2!"}), -32002, "reset the job to start over"),
        (json!({"kind": "chatty", "job_id": "j", "config": {"do": "publish_outside"}}), -32002, "is not allowed"),
        (json!({"kind": "chatty", "job_id": "j", "config": {"do": "rate_limited"}}), -32001, "too fast"),
    ] {
        plugin.order(&params);
        let error = plugin.outcome().1["error"].clone();
        assert_eq!(error["code"], code, "{params}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words) && !message.contains("hunter2"), "{params}: {message}");
    }
}

#[test]
fn garbage_on_stdin_is_passed_over() {
    let mut plugin = Plugin::start();
    let stdin = plugin.stdin.as_mut().unwrap();
    stdin.write_all(b"garbage\n\n\xff\xfe\n{\"jsonrpc\":\"2.0\",\"method\":\"broker.event\",\"params\":7}\n").unwrap();
    assert_eq!(plugin.tick("chatty", &json!({}))["result"]["next_cursor"], "MQ");
}

#[test]
fn what_the_author_and_his_children_write_to_stdout_never_reaches_the_protocol() {
    let mut plugin = Plugin::start();
    for _ in 0..3 {
        assert_eq!(plugin.tick("chatty", &json!({"do": "pollute"}))["result"], json!({}));
    }
    plugin.shut_down();
    assert_eq!(plugin.read()["result"]["ok"], true);
    assert!(plugin.wait().success());
    let log = plugin.log();
    assert_eq!(log.matches("\"polluted\": \"println\"").count(), 3, "{log}");
    assert_eq!(log.matches("polluted by a child").count(), 3, "{log}");
}

#[test]
fn a_panic_is_answered_without_its_message_and_the_plugin_goes_on() {
    let mut plugin = Plugin::start();
    let error = plugin.tick("chatty", &json!({"do": "panic", "secret": "hunter2"}))["error"].clone();
    assert_eq!(error["code"], -32001);
    assert!(error["message"].as_str().unwrap().contains("panicked at fixtures/src/bin/fixture_chatty.rs:"), "{error}");
    assert_eq!(plugin.tick("chatty", &json!({}))["result"]["next_cursor"], "MQ");
    drop(plugin.stdin.take());
    plugin.wait();
    let log = plugin.log();
    assert!(!log.contains("hunter2") && !error.to_string().contains("hunter2"), "{log}{error}");
}

#[test]
fn ticks_that_hang_or_block_their_thread_end_at_their_deadline_and_others_go_on() {
    let mut plugin = Plugin::start();
    for (job, act) in [("hangs", "hang"), ("blocks", "block")] {
        plugin.order(&json!({"kind": "hasty", "job_id": job, "config": {"do": act}}));
    }
    plugin.order(&json!({"kind": "chatty", "job_id": "goes_on", "config": {}}));
    let mut ended = [plugin.outcome(), plugin.outcome(), plugin.outcome()];
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    let [blocks, goes_on, hangs] = ended;
    assert_eq!((goes_on.0.as_str(), &goes_on.1["result"]["next_cursor"]), ("goes_on", &json!("MQ")));
    for (job, (ended, body)) in [("blocks", blocks), ("hangs", hangs)] {
        assert_eq!((job, &body["error"]["code"]), (ended.as_str(), &json!(-32001)));
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("job `{job}`: its tick did not end within 1 s")), "{message}");
    }
    assert_eq!(plugin.tick("hasty", &json!({}))["result"]["next_cursor"], "MQ", "the slot that hung is free again");
}

#[test]
fn a_tick_that_the_daemon_cancels_ends_at_once_and_is_answered_while_the_others_go_on() {
    let mut plugin = Plugin::start();
    let now = "2026-05-17T10:00:00.125+00:00";
    for job in ["stays", "goes"] {
        plugin.order(
            &json!({"kind": "chatty", "job_id": job, "agent_id": "ana", "now": now, "config": {"do": "hang_politely"}}),
        );
    }
    // Both run, and say so.
    for _ in 0..2 {
        let call = plugin.read_publish();
        plugin.answer_call(&call);
    }
    let body =
        json!({"method": "poll_cancel", "params": {"kind": "chatty", "job_id": "goes", "agent_id": "ana", "now": now}});
    let event = Event::new("plugin.poller.chatty.tick.cancel", "daemon", body);
    plugin.write(&json!({"jsonrpc": "2.0", "method": "tick.cancel", "params": {"topic": event.topic, "event": event}}));
    assert_eq!(plugin.outcome().0, "goes");
    plugin.shut_down();
    assert_eq!(plugin.outcome().0, "stays");
}

#[test]
fn no_more_ticks_run_at_once_than_the_kind_allows_and_shutdown_answers_all() {
    let mut plugin = Plugin::start();
    for n in 0..7 {
        plugin.order(&json!({"kind": "chatty", "job_id": n.to_string(), "config": {"do": "hang_politely"}}));
    }
    // Each of the four that run says so and waits.
    for _ in 0..4 {
        let call = plugin.read_publish();
        plugin.answer_call(&call);
    }
    // Another kind has slots of its own.
    plugin.order(&json!({"kind": "hasty", "job_id": "hasty", "config": {}}));
    assert_eq!(plugin.read_publish().topic, "_inbox.req.hasty");
    plugin.shut_down();
    let (mut done, mut refused) = (0, 0);
    for _ in 0..7 {
        let event = plugin.read_publish();
        assert!(event.topic.starts_with("_inbox.req."), "a fifth tick ran: {}", event.topic);
        let body = open_answer(event.payload);
        match body.get("error") {
            None => done += 1,
            Some(error) => {
                assert!(error["message"].as_str().unwrap().contains("shutting down"), "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((done, refused), (4, 3));
    let answer = plugin.read();
    assert_eq!((&answer["id"], &answer["result"]), (&json!(99), &json!({"ok": true})));
    assert!(plugin.wait().success());
}

#[test]
fn shutdown_does_not_wait_for_a_blocked_thread() {
    let mut plugin = Plugin::start();
    plugin.order(&json!({"kind": "chatty", "job_id": "blocks", "config": {"do": "block"}}));
    assert_eq!(plugin.tick("chatty", &json!({}))["result"]["next_cursor"], "MQ");
    plugin.shut_down();
    let (job, body) = plugin.outcome();
    assert_eq!((job.as_str(), &body["error"]["code"]), ("blocks", &json!(-32001)));
    assert_eq!(plugin.read()["result"]["ok"], true);
    assert!(plugin.wait().success());
}

#[test]
fn a_daemon_that_is_gone_ends_the_plugin_although_its_ticks_hang() {
    let mut plugin = Plugin::start();
    for (job, act) in [("hangs", "hang"), ("blocks", "block")] {
        plugin.order(&json!({"kind": "chatty", "job_id": job, "config": {"do": act}}));
    }
    assert_eq!(plugin.tick("chatty", &json!({}))["result"]["next_cursor"], "MQ");
    let gone = Instant::now();
    drop(plugin.stdin.take());
    plugin.wait();
    // 2 s on an idle machine; the ticks' own deadline is 60 s.
    assert!(gone.elapsed() < Duration::from_secs(15), "{:?}", gone.elapsed());
}

#[test]
fn a_broker_that_cannot_be_reached_is_said_in_one_sentence() {
    // Nobody listens on port 1.
    let output =
        chatty().env("NEXO_BROKER_URL", "nats://ana:hunter2@127.0.0.1:1").stdin(Stdio::piped()).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), log.lines().count()), (Some(1), 1), "{log}");
    assert!(log.contains("NEXO_BROKER_URL") && log.contains("NATS") && !log.contains("hunter2"), "{log}");
}

#[test]
fn a_host_that_names_a_broker_and_speaks_through_stdin_all_the_same_is_served_there() {
    let mut command = chatty();
    // Nobody listens on port 1.
    command.env("NEXO_BROKER_URL", "nats://127.0.0.1:1");
    let asked = Instant::now();
    let mut plugin = Plugin::spawn_as(command).introduced();
    // Such a host ends a plugin that has not answered within 5 s.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(plugin.tick("chatty", &json!({}))["result"]["next_cursor"], "MQ");
    drop(plugin.stdin.take());
    assert!(plugin.wait().success());
}

#[test]
fn without_a_daemon_it_says_how_to_run_it() {
    let output = chatty().stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("stdin ended before a daemon said `initialize`") && log.contains("`once`"), "{log}");
}
