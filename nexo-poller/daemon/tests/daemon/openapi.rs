//! The description of the admin API, held against what a running daemon answers.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::{Daemon, Home};

const COUNT: &str = "id: count, kind: chatty, schedule: { every: 1h }, config: { do: count }";
/// Endless, so it is not read here; `events` on the command line is tested where its events are.
const STREAM: (&str, &str) = ("get", "/admin/events");

fn described(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.get("/admin/openapi.json").1).unwrap()
}

#[test]
fn the_description_in_the_documents_is_that_of_the_program() {
    let home = Home::with_jobs(&[COUNT]);
    let daemon = home.boot();
    let described = described(&daemon);
    daemon.stop();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("NEXO_UPDATE").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&described).unwrap() + "\n").unwrap();
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap_or_default();
    assert!(
        written == described,
        "docs/openapi.json is another: write it again with `NEXO_UPDATE=1 cargo test --test daemon openapi`"
    );
}

#[test]
fn every_call_answers_as_it_is_described() {
    let home = Home::with_jobs(&[COUNT, "id: wrong, kind: nobody, schedule: { every: 1h }"]);
    let daemon = home.boot();
    let described = described(&daemon);
    let token = format!("Authorization: Bearer {}", home.token());
    let mut asked: BTreeSet<(String, String)> = BTreeSet::new();
    let mut ask = |method: &str, template: &str, query: &str, body: &str, wanted: u16| {
        let operation = &described["paths"][template][method];
        assert!(operation["summary"].is_string(), "{method} {template} is not described");
        let path = template.replace("/plugins/{id}", "/plugins/chatty").replace("{id}", "count");
        let line = format!("{} {path}{query}", method.to_uppercase());
        let host = format!("Host: {}", daemon.address);
        let without = daemon.http(&line, &[&host, "Content-Type: application/json"], body);
        let needs_token = operation["security"].is_array();
        assert_eq!(without.0 == 401, needs_token, "{line}: {}", without.1);
        let (status, answer) = if needs_token {
            daemon.http(&line, &[&host, &token, "Content-Type: application/json"], body)
        } else {
            without
        };
        assert_eq!(status, wanted, "{line}: {answer}");
        let response = &operation["responses"][if wanted == 200 { "200" } else { "default" }]["content"];
        if let Some(schema) = response["application/json"].get("schema") {
            let mut schema = schema.clone();
            schema["components"] = described["components"].clone();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let errors: Vec<String> = jsonschema::validator_for(&schema)
                .unwrap()
                .iter_errors(&answer)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{line}: {errors:?} in {answer}");
        }
        asked.insert((method.to_owned(), template.to_owned()));
    };
    for (method, path, query, body) in [
        ("get", "/admin/pollers", "?phase=scheduled&limit=1", ""),
        ("get", "/admin/pollers/{id}", "", ""),
        ("get", "/admin/pollers/{id}/next", "?n=3", ""),
        ("post", "/admin/pollers/{id}/run", "", ""),
        ("post", "/admin/pollers/{id}/dry-run", "", "{}"),
        ("get", "/admin/pollers/{id}/cursor", "", ""),
        ("put", "/admin/pollers/{id}/cursor", "", r#"{"text": "7"}"#),
        ("post", "/admin/pollers/{id}/pause", "", r#"{"reason": "a test", "by": "me"}"#),
        ("get", "/admin/pollers/{id}", "", ""),
        ("post", "/admin/pollers/{id}/resume", "", ""),
        ("post", "/admin/pollers/{id}/reset", "", ""),
        ("get", "/admin/pollers/{id}/ticks", "", ""),
        ("get", "/admin/ticks", "?ids=count", ""),
        ("post", "/admin/pollers/reload", "?plan=true", ""),
        ("get", "/admin/plugins", "", ""),
        ("get", "/admin/plugins/{id}/log", "", ""),
        ("get", "/admin/hello", "?nonce=0123456789abcdef", ""),
        ("get", "/admin/openapi.json", "", ""),
        ("get", "/metrics", "", ""),
        ("get", "/healthz", "", ""),
        ("get", "/readyz", "", ""),
    ] {
        ask(method, path, query, body, 200);
    }
    ask("get", "/admin/pollers", "?phase=flying", "", 400);
    ask("put", "/admin/pollers/{id}/cursor", "", "{}", 400);
    let paths = described["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, calls)| {
        calls.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
    });
    let left: Vec<_> = all.filter(|call| !asked.contains(call)).collect();
    assert_eq!(left, [(STREAM.0.to_owned(), STREAM.1.to_owned())], "these calls are described and not tried here");
    assert_eq!(described["components"]["securitySchemes"]["token"]["scheme"], json!("bearer"));
    daemon.stop();
}
