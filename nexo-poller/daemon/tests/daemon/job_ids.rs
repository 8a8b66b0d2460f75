//! Whatever `check` takes as the id of a job, commands and calls find.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::home::Home;

/// Ids that look like something else.
const AWKWARD: [&str; 40] = [
    ".",
    "..",
    "...",
    "%2e%2e",
    "%2E",
    "..%2f..",
    "../..",
    "a/..",
    "a/../b",
    "/",
    "//",
    "/a",
    "a/",
    "reload",
    "cursor",
    "log",
    "next",
    "run",
    "ticks",
    "admin",
    "pollers",
    "a/cursor",
    "{id}",
    "{*rest}",
    ":id",
    "*",
    "a?b",
    "a#b",
    "a&b=c",
    "a+b",
    "a;b",
    "a%",
    "%00",
    "-x",
    "--help",
    "\\",
    "a\u{200b}b",
    "\u{202e}a",
    "señal",
    "🦀",
];

#[test]
fn every_id_that_is_taken_is_reached_by_every_call_and_command_and_others_are_refused_with_a_reason() {
    let mut runner = TestRunner::deterministic();
    let any = "\\PC{1,12}".prop_filter("no variable", |id| !id.contains('$'));
    let mut ids: Vec<String> = AWKWARD.map(str::to_owned).into();
    ids.extend((0..160).map(|_| any.new_tree(&mut runner).unwrap().current()));
    ids.sort_unstable();
    ids.dedup();
    let home = Home::with_jobs(&[]);
    let mut file = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    for id in &ids {
        // JSON is YAML.
        let id = serde_json::to_string(id).unwrap();
        writeln!(file, "    - {{ id: {id}, kind: chatty, agent: ana, schedule: {{ every: 1h }} }}").unwrap();
    }
    home.write("pollers.yaml", &file);
    let daemon = home.boot();
    let headers = [format!("Host: {}", daemon.address), format!("Authorization: Bearer {}", home.token())];
    let headers = headers.each_ref().map(String::as_str);
    let listed = home.json(&["list"]);
    let taken: Vec<&str> =
        listed["pollers"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    let refused = listed["refused"].as_array().unwrap();
    assert_eq!(taken.len() + refused.len(), ids.len());
    for job in refused {
        let problem = job["problem"].as_str().unwrap();
        assert!(problem.contains("`id` "), "{job}");
    }
    let is_refused = |id: &str| refused.iter().any(|job| job["id"] == id);
    assert!([".", "..", "-x", "--help", "\u{202e}a"].into_iter().all(is_refused));
    for ordinary in ["reload", "cursor", "log", "%2e%2e", "a/../b", "señal"] {
        assert!(taken.contains(&ordinary), "{ordinary}");
    }
    let mut calls = 0;
    for id in &taken {
        let path = format!("/admin/pollers/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
        for (call, key) in [("GET", ""), ("GET", "/next"), ("GET", "/cursor"), ("GET", "/ticks"), ("POST", "/pause")] {
            let (status, body) = daemon.http(&format!("{call} {path}{key}"), &headers, "");
            assert_eq!(status, 200, "{call} {id:?}{key}: {body}");
            calls += 1;
        }
    }
    let mut commands = 0;
    // A process each takes its time: all that look like something else, and some of the others.
    for id in taken.iter().enumerate().filter(|(at, id)| at % 8 == 0 || AWKWARD.contains(id)).map(|(_, id)| *id) {
        let shown = home.json(&["show", id]);
        assert_eq!((shown["id"].as_str(), shown["phase"].as_str()), (Some(id), Some("paused")), "{shown}");
        let resumed = home.run(&["resume", id]);
        assert_eq!(resumed.code, Some(0), "{id:?}: {resumed:?}");
        commands += 2;
    }
    println!(
        "figure admin.ids_out_of_reach value=0 of={} calls={calls} commands={commands} refused={}",
        taken.len(),
        refused.len()
    );
    daemon.stop();
}
