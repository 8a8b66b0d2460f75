//! `docs/protocol.md`: each example of the page is read by the types that speak the protocol, and written again as it stands there.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use nexo_poller::contract::LlmInvokeResponse;
use nexo_poller::manifest::Manifest;
use nexo_poller::unstable::{Frame, FrameKind};
use nexo_poller::wire::{
    Event, HostCall, HostRequest, Message, TickCancel, TickReply, TickRequest, code, host_error_body, open_answer,
    open_host_answer, open_request, result_body, topics,
};
use serde::Deserialize;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// What `validate --json` prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    valid: bool,
    errors: Vec<Mistake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    path: String,
    message: String,
}

/// The examples in `language`: what the comment above each says that it is, and its text.
fn examples(language: &str) -> Vec<(&'static str, String)> {
    let (mut found, mut lines, mut above) = (Vec::new(), PAGE.lines(), "");
    while let Some(line) = lines.next() {
        if line.strip_prefix("```").is_some_and(|found| found == language) {
            let what = above.strip_prefix(&format!("<!-- {language}: ")).and_then(|rest| rest.strip_suffix(" -->"));
            let what = what.unwrap_or_else(|| panic!("an example without a word on what it is, below `{above}`"));
            found.push((what, lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n")));
        }
        above = line;
    }
    found
}

/// The event, which must be written as it was read.
fn event(example: &Value) -> Event {
    let event: Event = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(json!(event), *example);
    assert!(event.is_readable());
    event
}

fn request(example: &Value) -> Value {
    let payload = event(example).payload;
    let message: Message = serde_json::from_value(payload.clone()).unwrap();
    assert_eq!(json!(message), payload);
    let (body, reply_to) = open_request(&payload);
    assert_eq!(Some(reply_to.unwrap().topic), message.reply_to);
    body.clone()
}

fn call(example: &Value) {
    let call = HostCall::read(example).unwrap();
    assert_eq!(call.to_value(), *example);
    let request = HostRequest::read(call.clone()).unwrap();
    assert_eq!(HostCall::new(&request, &call.agent_id, &call.job_id).to_value(), *example);
}

fn tick(example: &Value) {
    assert_eq!(TickRequest::read(example).unwrap().to_value(), *example);
}

fn tick_reply(example: &Value, repeated: bool) {
    assert_eq!(TickReply::body(&TickReply::read(example), repeated), *example);
}

fn frame(name: &str, example: &Value) {
    let line = example.to_string();
    assert_eq!(example["jsonrpc"], "2.0");
    match (name, Frame::read(&line).unwrap()) {
        ("initialize" | "shutdown", FrameKind::Request { id, method, params }) => {
            assert_eq!((&*method, id), (name, example["id"].clone()));
            assert!(params.is_some());
        }
        ("broker.event" | "broker.publish", FrameKind::Notification { method, .. }) => {
            let params = &example["params"];
            assert_eq!(
                (&*method, &event(&params["event"]).topic),
                (name, &params["topic"].as_str().unwrap().to_owned())
            );
            match name {
                "broker.event" => tick(&request(&params["event"])),
                _ => tick_reply(&open_answer(params["event"]["payload"].clone()), true),
            }
        }
        ("response", FrameKind::Response { id, outcome: Ok(_) }) => assert_eq!(id, example["id"]),
        (_, other) => panic!("{name} is read as {other:?}"),
    }
}

#[test]
fn each_example_of_the_page_is_what_the_code_reads_and_writes() {
    let examples = examples("json");
    for (what, text) in &examples {
        let example: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
        match *what {
            "event" => drop(event(&example)),
            "request" => call(&request(&example)),
            "answer" => assert_eq!(open_answer(event(&example).payload), result_body(Value::Null)),
            "tick" => tick(&example),
            "cancel" => assert_eq!(TickCancel::read(&example).unwrap().to_value(), example),
            "tick reply" => tick_reply(&example, true),
            "bare tick reply" => tick_reply(&example, false),
            "call" => call(&example),
            "account" => {
                let answer = open_host_answer("credentials_get", Some("google"), example.clone());
                assert_eq!(result_body(answer.unwrap()), example);
            }
            "model answer" => {
                let answer: LlmInvokeResponse = serde_json::from_value(example["result"].clone()).unwrap();
                assert_eq!(result_body(json!(answer)), example);
            }
            "refusal" => {
                let refused = open_host_answer("credentials_get", Some("google"), example.clone()).unwrap_err();
                assert_eq!(host_error_body(&refused), example);
            }
            "introduction" => {
                let manifest = Manifest::from_handshake(&example["result"].to_string(), "the page").unwrap();
                assert_eq!(json!({"plugin": manifest.plugin}), example["result"]["manifest"]);
            }
            "verdict" => {
                let verdict: Verdict = serde_json::from_value(example).unwrap();
                assert!(!verdict.valid && verdict.errors.iter().all(|m| !m.path.is_empty() && !m.message.is_empty()));
            }
            other => match other.strip_prefix("frame ") {
                Some(name) => frame(name, &example),
                None => panic!("nothing reads an example of `{other}`"),
            },
        }
    }
    println!("docs/protocol.md: {} examples are what the code reads and writes", examples.len());
    assert!(examples.len() >= 20, "the page lost its examples");
}

#[test]
fn the_manifest_of_the_page_keeps_every_rule_and_says_the_same_as_the_handshake() {
    let [(_, text)] = &examples("toml")[..] else { panic!("one manifest") };
    let manifest = Manifest::parse(text, "the page").unwrap();
    assert_eq!(Manifest::parse(&manifest.to_toml(), "written").unwrap(), manifest);
    let said = examples("json").into_iter().find(|(what, _)| *what == "introduction").unwrap().1;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json!(manifest.plugin), said["result"]["manifest"]["plugin"]);
}

#[test]
fn the_page_names_every_code_every_method_and_every_topic() {
    for code in [
        code::TRANSIENT,
        code::PERMANENT,
        code::INVALID_PARAMS,
        code::METHOD_NOT_FOUND,
        code::PARSE_ERROR,
        code::INVALID_REQUEST,
        code::INTERNAL_ERROR,
    ] {
        assert!(PAGE.contains(&format!("| {code} |")), "{code}");
    }
    for topic in [
        topics::ticks(&topics::default_prefix("<id>")),
        topics::calls("<plugin id>"),
        topics::outbound("<channel>", "<account id>"),
        topics::answers("<plugin id>"),
    ] {
        assert!(PAGE.contains(&format!("`{topic}`")), "{topic}");
    }
    for name in [
        "initialize",
        "broker.event",
        "broker.publish",
        "shutdown",
        "credentials_get",
        "log",
        "metric_inc",
        "llm_invoke",
    ] {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}

#[cfg(feature = "router")]
#[test]
fn the_limits_of_the_page_are_those_of_the_code() {
    let parent = nexo_poller::broker::stdio::ParentOptions::default();
    let host = nexo_poller::plugin::HostTimeouts::default();
    let secs = |wait: std::time::Duration| wait.as_secs();
    assert_eq!(parent.max_line, 1024 * 1024);
    for figure in [
        format!("| a line that a daemon takes from a plugin | {} MiB,", parent.max_line / 1024 / 1024),
        format!("| a cursor, before it is encoded | {} KiB;", nexo_poller::contract::MAX_CURSOR / 1024),
        format!("5 s in the strictest daemon that is known, {} s in this one", secs(parent.handshake_timeout)),
        format!(
            "should wait {} s for `log` and `metric_inc`, {} s for `credentials_get`, {} s for `llm_invoke`",
            secs(host.telemetry),
            secs(host.credentials),
            secs(host.llm)
        ),
    ] {
        assert!(PAGE.contains(&figure), "{figure}");
    }
}
