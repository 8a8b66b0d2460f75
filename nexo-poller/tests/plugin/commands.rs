//! The commands of a poller's binary, as an author types them.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use fixtures::chatty;

fn run(args: &[&str]) -> Output {
    chatty().args(args).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One tick with `--json`: its exit code and what it reported.
fn once(config: &Value, more: &[&str]) -> (i32, Value) {
    let config = config.to_string();
    let output = run(&[&["once", "--json", "--config", &config], more].concat());
    let text = stdout(&output);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}: {}", stderr(&output)));
    (output.status.code().unwrap(), report)
}

#[test]
fn once_without_options_runs_a_first_tick() {
    let output = run(&["once"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("chatty (job `once`, agent `console`)\nok in "), "{text}");
    assert!(text.contains(": 5 seen, 2 dispatched\n  cursor   1\n"), "{text}");
}

#[test]
fn once_shows_a_person_what_was_published_logged_and_counted() {
    let text = stdout(&run(&["once", "--config", r#"{"do": "publish"}"#]));
    let expected = "  publish  plugin.outbound.console.console\n           {\"text\":\"hello\",\"to\":\"ops\"}\n  \
                    log      warn seen {\"n\":1}\n  count    chats {\"room\":\"a\"}\nok in ";
    // Key order is the JSON library's affair.
    let same = text.contains(expected)
        || text.contains(&expected.replace(r#""text":"hello","to":"ops""#, r#""to":"ops","text":"hello""#));
    assert!(same, "{text}");
    assert!(!text.contains('\x1b'), "colours without a terminal: {text:?}");
}

#[test]
fn once_tells_a_program_the_same_as_json() {
    let (code, report) = once(&json!({"do": "publish"}), &["--job", "j", "--agent", "a"]);
    assert_eq!(code, 0);
    assert_eq!(
        report["published"],
        json!([{"topic": "plugin.outbound.console.console", "payload": {"to": "ops", "text": "hello"}}])
    );
    assert_eq!(report["logged"], json!([{"level": "warn", "message": "seen", "fields": {"n": 1}}]));
    assert_eq!(report["counted"], json!([{"name": "chats", "labels": {"room": "a"}}]));
    assert_eq!((&report["outcome"], &report["job_id"], &report["agent_id"]), (&json!("ok"), &json!("j"), &json!("a")));
    assert!(report["duration_ms"].is_u64() && report.get("next_cursor").is_none(), "{report}");
}

#[test]
fn once_resumes_from_a_cursor_and_shows_the_next_one_decoded() {
    let (_, report) = once(&json!({}), &["--cursor", "41"]);
    assert_eq!((&report["next_cursor"], &report["next_cursor_base64"]), (&json!(42), &json!("NDI")));
    assert_eq!((&report["items_seen"], &report["items_dispatched"]), (&json!(5), &json!(2)));
    let binary = stdout(&run(&["once", "--config", r#"{"do": "binary_cursor"}"#]));
    assert!(binary.contains("cursor   2 bytes, not JSON (base64 _wA)"), "{binary}");
    let reset = stdout(&run(&["once", "--config", r#"{"do": "reset"}"#]));
    assert!(reset.contains("cursor   reset: the next tick is a first one"), "{reset}");
}

#[test]
fn each_class_of_error_has_its_exit_code_and_its_words() {
    let table = [
        (json!({"do": "permanent"}), 4, "permanent", "the source is gone for good"),
        (json!({"do": "publish_outside"}), 4, "permanent", "publishing on `plugin.inbound.x` is not allowed"),
        (json!({"do": "llm"}), 4, "permanent", "there is no language model here"),
        (json!({"do": "transient"}), 5, "transient", "the source is down"),
        (json!({"do": "panic"}), 5, "transient", "its tick panicked at fixtures/src/bin/fixture_chatty.rs:"),
        (json!({"do": "nonsense"}), 3, "config", "config: `do`: unknown variant, expected one of"),
        (json!({"doo": 1}), 3, "config", "config: `doo`: unknown field `doo`"),
    ];
    for (config, code, class, words) in table {
        let (got, report) = once(&config, &[]);
        assert_eq!((got, &report["outcome"]), (code, &json!(class)), "{config}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{config}: {message}");
        let text = stdout(&run(&["once", "--config", &config.to_string()]));
        assert!(text.contains(&format!("{class} error after")) && text.contains("cursor   unchanged"), "{text}");
    }
    let (code, report) = once(&json!({"do": "rate_limited"}), &[]);
    assert_eq!((code, &report["retry_after_secs"]), (5, &json!(7.0)));
    let (code, report) = once(&json!({}), &["--cursor", "\"text\""]);
    assert_eq!(code, 4);
    assert!(report["error"]["message"].as_str().unwrap().contains("reset the job to start over"), "{report}");
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_what_is_right() {
    for (args, words) in [
        (vec!["twice"], "`twice` is not a command"),
        (vec!["once", "--confg", "x"], "unknown option --confg"),
        (vec!["once", "--kind", "jira"], "this plugin does not serve kind `jira`; it serves chatty"),
        (vec!["once", "--cursor", "no such"], "--cursor is a file or JSON"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_config_file_that_is_missing_or_yaml_is_named() {
    let missing = run(&["validate", "no-such.json"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("the config file no-such.json cannot be read"), "{}", stderr(&missing));
    let folder = tempfile::tempdir().unwrap();
    let yaml = folder.path().join("job.yaml");
    std::fs::write(&yaml, "do: publish\n").unwrap();
    let refused = run(&["validate", yaml.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("write the job's config as JSON or TOML"), "{}", stderr(&refused));
}

#[test]
fn stray_output_of_the_author_does_not_reach_a_program_that_reads_json() {
    let output = run(&["once", "--json", "--config", r#"{"do": "pollute"}"#]);
    serde_json::from_str::<Value>(&stdout(&output)).unwrap();
    let log = stderr(&output);
    for stray in ["\"polluted\": \"println\"", "polluted without an end of line", "polluted by a child"] {
        assert!(log.contains(stray), "{stray} is lost: {log}");
    }
}

#[test]
fn accounts_are_made_up_unless_they_are_given() {
    let config = json!({"do": "deliver", "deliver": {"channel": "telegram", "to": "12"}});
    for (more, topic) in [
        (&[][..], "plugin.outbound.telegram.console"),
        (&["--account", "telegram=bot_1"], "plugin.outbound.telegram.bot_1"),
        (&["--account", "telegram={\"account_id\": \"bot_2\"}"], "plugin.outbound.telegram.bot_2"),
    ] {
        let (_, report) = once(&config, more);
        assert_eq!(report["published"][0]["topic"], topic);
    }
}

#[test]
fn a_config_comes_from_json_toml_or_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let toml = file("job.toml", "do = 'permanent'\n");
    let json = file("job.json", r#"{"do": "permanent"}"#);
    let job = file("whole.json", r#"{"id": "x", "kind": "chatty", "config": {"do": "permanent"}}"#);
    for source in [toml, json, job] {
        assert_eq!(run(&["once", "--config", &source]).status.code(), Some(4), "{source}");
    }
    let mut child =
        chatty().args(["once", "--config", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"do\": \"permanent\"}").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn validate_names_the_field_and_hides_the_value() {
    let good = run(&["validate", "--config", r#"{"do": "publish"}"#]);
    assert_eq!((good.status.code(), stdout(&good).as_str()), (Some(0), "the config is valid for kind `chatty`\n"));
    let bad = run(&["validate", "--config", r#"{"deliver": {"channel": "hunter2"}}"#]);
    assert_eq!((bad.status.code(), stderr(&bad).as_str()), (Some(3), "config: `deliver`: missing field `to`\n"));
    let broken = run(&["validate", "--config", r#"{"secret": hunter2}"#]);
    assert_eq!(broken.status.code(), Some(3));
    assert!(stderr(&broken).contains("not JSON") && !stderr(&broken).contains("hunter2"), "{}", stderr(&broken));
}

#[test]
fn validate_gives_programs_the_path_and_the_message_apart() {
    let judged = |config: &str| {
        let said = run(&["validate", "--json", "--config", config]);
        assert_eq!(stderr(&said), "");
        (said.status.code(), serde_json::from_str::<Value>(&stdout(&said)).unwrap())
    };
    assert_eq!(judged(r#"{"do": "publish"}"#), (Some(0), json!({"valid": true, "errors": []})));
    let errors = json!([{"path": "deliver", "message": "config: `deliver`: missing field `to`"}]);
    let wrong = (Some(3), json!({"valid": false, "errors": errors}));
    assert_eq!(judged(r#"{"deliver": {"channel": "hunter2"}}"#), wrong);
    // What is no config at all has no path.
    let (code, answer) = judged(r#"{"secret": hunter2}"#);
    assert_eq!((code, &answer["valid"], &answer["errors"][0]["path"]), (Some(3), &json!(false), &Value::Null));
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("not JSON"), "{answer}");
}

#[test]
fn schema_manifest_help_and_version_are_printed() {
    let schema: Value = serde_json::from_str(&stdout(&run(&["schema"]))).unwrap();
    assert_eq!((&schema["title"], &schema["additionalProperties"]), (&json!("ChattyConfig"), &json!(false)));
    let manifest = stdout(&run(&["--print-manifest"]));
    let manifest = nexo_poller::manifest::Manifest::parse(&manifest, "the printed manifest").unwrap();
    assert_eq!((manifest.plugin.id.as_str(), manifest.plugin.version.as_str()), ("chatty", "1.2.3"));
    assert_eq!(stdout(&run(&["--version"])), "fixture_chatty 1.2.3\n");
    let help = run(&["--help"]);
    let text = stdout(&help);
    assert_eq!(help.status.code(), Some(0));
    for command in ["once", "dev", "validate", "schema", "--print-manifest", "--help", "--version", "Exit codes: 0"] {
        assert!(text.contains(command), "{command} is not in the help: {text}");
    }
}

#[test]
fn a_plugin_of_several_kinds_asks_which_one_is_meant() {
    let run = |args: &[&str]| chatty().args(args).env("CHATTY_TWO_KINDS", "1").stdin(Stdio::null()).output().unwrap();
    let unclear = run(&["once"]);
    assert_eq!(unclear.status.code(), Some(2));
    assert!(stderr(&unclear).contains("choose one with --kind (chatty, hasty)"), "{}", stderr(&unclear));
    let clear = run(&["once", "--kind", "hasty"]);
    assert_eq!(clear.status.code(), Some(0));
    assert!(stdout(&clear).starts_with("hasty (job"), "{}", stdout(&clear));
    // A hand-written poller without a schema: anything is fine.
    assert_eq!(stdout(&run(&["schema", "--kind", "hasty"])), "true\n");
}

#[test]
fn a_tick_that_hangs_ends_at_its_deadline_even_where_it_blocks_its_thread() {
    for act in ["hang", "block"] {
        let config = json!({"do": act}).to_string();
        let args = ["once", "--json", "--kind", "hasty", "--config", &config];
        let output = chatty().args(args).env("CHATTY_TWO_KINDS", "1").stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{act}");
        let text = stdout(&output);
        assert!(text.contains("did not end within 1 s"), "{act}: {text}");
    }
}

fn dev(folder: &Path, args: &[&str]) -> Output {
    chatty().arg("dev").args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn dev_repeats_the_tick_and_keeps_its_cursor_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    for last in ["3", "6"] {
        let output = dev(folder.path(), &["--every", "1ms", "--ticks", "3"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output).matches("ok in ").count(), 3);
        assert_eq!(std::fs::read_to_string(folder.path().join(".nexo-dev/chatty.cursor")).unwrap(), last);
    }
    let json = stdout(&dev(folder.path(), &["--every", "1ms", "--ticks", "2", "--json", "--cursor-file", "here"]));
    let cursors: Vec<Value> =
        json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["next_cursor"].clone()).collect();
    assert_eq!(cursors, [1, 2]);
}

#[test]
fn dev_goes_on_after_a_transient_error_and_stops_where_a_daemon_would_pause() {
    let folder = tempfile::tempdir().unwrap();
    let transient = dev(folder.path(), &["--every", "1ms", "--ticks", "2", "--config", r#"{"do": "transient"}"#]);
    assert_eq!(transient.status.code(), Some(5));
    assert_eq!(stdout(&transient).matches("a daemon would retry with backoff").count(), 2);
    let permanent = dev(folder.path(), &["--config", r#"{"do": "permanent"}"#]);
    assert_eq!(permanent.status.code(), Some(4));
    assert!(stdout(&permanent).contains("a daemon would pause this job until it is resumed or reset"));
    let config = dev(folder.path(), &["--config", r#"{"do": 5}"#]);
    assert_eq!(config.status.code(), Some(3));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = chatty()
        .args(["dev", "--every", "1ms", "--cursor-file", "/dev/null", "--config", r#"{"do": "publish"}"#])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
}
