//! A service on loopback is recorded through the recorder and replayed without it.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use nexo_poller_testkit::http::{Exchange, HttpRecorder, HttpReplay, Recording, Scrub};
use serde_json::{Value, json};
use ureq::Agent;

fn client() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}

fn get(url: &str) -> (u16, Value) {
    let mut response = client().get(url).header("authorization", "Bearer hunter2").call().unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

#[test]
fn answers_come_in_their_order_and_the_last_one_stays() {
    let server = HttpReplay::of(Recording::from([
        Exchange::get("/issues").json(&json!({"page": 1})),
        Exchange::get("/issues").status(429).header("Retry-After", "30"),
    ]));
    assert_eq!(get(&server.url("/issues")), (200, json!({"page": 1})));
    for _ in 0..2 {
        assert_eq!(get(&server.url("/issues")).0, 429);
    }
    server.rewind();
    assert_eq!(get(&server.url("/issues")).0, 200);
    assert_eq!(server.asked().len(), 4);
    assert_eq!(server.asked_header("Authorization")[0].as_deref(), Some("Bearer hunter2"));
}

#[test]
fn requests_are_told_apart_by_query_and_body() {
    let server = HttpReplay::of(Recording::from([
        Exchange::get("/issues").query("page", "2").query("q", "a b").json(&json!(["second"])),
        Exchange::get("/issues").query("page", "1").query("q", "a b").json(&json!(["first"])),
        Exchange::post("/graphql").sent(json!({"query": "{ b }"})).json(&json!({"b": 1})),
        Exchange::post("/graphql").sent(json!({"query": "{ a }"})).json(&json!({"a": 1})),
    ]));
    assert_eq!(get(&server.url("/issues?q=a%20b&page=1")), (200, json!(["first"])));
    assert_eq!(get(&server.url("/issues?q=a+b&page=2")), (200, json!(["second"])));
    let mut answer = client().post(server.url("/graphql")).send("{\"query\": \"{ a }\"}").unwrap();
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "{\"a\":1}");
}

#[test]
fn what_was_not_recorded_is_named_beside_what_was() {
    let server = HttpReplay::of(Recording::from([Exchange::get("/issues").query("page", "1")]));
    let (status, said) = get(&server.url("/issues?page=7"));
    assert_eq!(
        (status, said.as_str()),
        (501, Some("no recorded exchange for GET /issues?page=7; there are: GET /issues?page=1"))
    );
}

/// A service that answers each request with a token, a cookie, and what it was asked.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            assert!(head.to_ascii_lowercase().contains("authorization: bearer hunter2"), "{head}");
            let path = head.split(' ').nth(1).unwrap();
            let body = json!({"path": path, "access_token": "hunter3", "nextPageToken": "p2", "mail": "ana@example.org", "head": head});
            let body = body.to_string();
            write!(
                stream,
                "HTTP/1.1 201 Created\r\nset-cookie: id=hunter4\r\nx-kind: plain\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_service_is_recorded_without_its_secrets_and_replayed_without_it() {
    let recorder = HttpRecorder::of(&service(), Scrub::new().value("ana@example.org"));
    let (status, answered) = get(&recorder.url("/feed?api_key=hunter5&page=1"));
    assert_eq!((status, &answered["access_token"]), (201, &json!("hunter3")), "the test itself sees what is real");
    let file = tempfile::NamedTempFile::new().unwrap();
    recorder.recording().save(file.path()).unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    for secret in ["hunter", "ana@example.org"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("x-kind") && text.contains("\"p2\""), "{text}");

    let replay = HttpReplay::load(file.path()).unwrap();
    let (status, answered) = get(&replay.url("/feed?api_key=another-secret&page=1"));
    assert_eq!((status, &answered["nextPageToken"]), (201, &json!("p2")));
}

#[test]
fn a_file_that_is_no_recording_is_named_with_the_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"exchanges\": [{}]}").unwrap();
    let error = Recording::load(file.path()).unwrap_err().to_string();
    assert!(error.contains("missing field `request`") && error.contains("line 1"), "{error}");
}
