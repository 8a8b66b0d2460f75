//! What the person on call does: look for jobs, preview a reload, pause in one's own name, complete the command line.

use std::io::{BufRead as _, BufReader};

use crate::home::Home;

const HOURLY: &str = "kind: chatty, schedule: { every: 1h }";

#[test]
fn a_list_is_filtered_and_paged_and_a_wrong_filter_says_what_is_known() {
    let home = Home::with_jobs(&[
        &format!("id: a_one, {HOURLY}"),
        &format!("id: a_two, {HOURLY}"),
        &format!("id: b_one, {HOURLY}"),
    ]);
    let daemon = home.boot();
    let ids = |args: &[&str]| {
        let answer = home.json(&[&["list"], args].concat());
        let ids = answer["pollers"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), answer["total"].as_u64().unwrap(), answer["next_after"].as_str().map(str::to_owned))
    };
    assert_eq!(ids(&[]).0, ["a_one", "a_two", "b_one"]);
    assert_eq!(ids(&["--match", "one"]).0, ["a_one", "b_one"]);
    assert_eq!(ids(&["--kind", "nothing"]), (vec![], 0, None));
    assert_eq!(ids(&["--limit", "2"]), (vec!["a_one".to_owned(), "a_two".to_owned()], 3, Some("a_two".to_owned())));
    assert_eq!(ids(&["--limit", "2", "--after", "a_two"]), (vec!["b_one".to_owned()], 3, None));
    assert!(home.run(&["list", "--limit", "1"]).stdout.contains("1 job of 3; go on with --after a_one"));
    assert_eq!(home.run(&["pause", "a_one", "--reason", "moved", "--by", "ana"]).code, Some(0));
    assert_eq!(ids(&["--phase", "paused"]).0, ["a_one"]);
    assert_eq!(home.json(&["show", "a_one"])["paused"]["by"], "ana");
    let said = home.run(&["next", "a_one"]).stdout;
    assert!(said.contains(": moved\nnone of these runs before `nexo-poller resume a_one`"), "{said}");
    assert_eq!(home.json(&["next", "a_one", "-n", "2"])["paused"]["by"], "ana");
    assert!(!home.run(&["next", "a_two"]).stdout.contains("paused"));
    let said = home.run(&["list", "--phase", "asleep"]);
    assert!(said.code == Some(2) && said.stderr.contains("quarantined"), "{said:?}");
    let (status, body) = daemon.get("/admin/pollers?phase=asleep");
    assert_eq!(status, 400);
    assert!(body.contains("quarantined"), "{body}");
    assert_eq!(daemon.get("/admin/pollers?limt=1").0, 400);
    daemon.stop();
}

#[test]
fn a_reload_can_be_previewed_and_the_preview_changes_nothing() {
    let home = Home::with_jobs(&[&format!("id: stays, {HOURLY}"), &format!("id: goes, {HOURLY}")]);
    let daemon = home.boot();
    home.jobs("", &[&format!("id: stays, {HOURLY}"), &format!("id: comes, {HOURLY}")]);
    let expected = serde_json::json!({"add": ["comes"], "replace": [], "remove": ["goes"], "keep": ["stays"]});
    assert_eq!(home.json(&["reload", "--plan"]), expected);
    let said = home.run(&["reload", "--plan"]);
    assert!(said.stdout.contains("would remove: goes"), "{said:?}");
    assert_eq!(home.run(&["show", "goes"]).code, Some(0));
    assert_eq!(home.run(&["show", "comes"]).code, Some(1));
    let host = format!("Host: {}", daemon.address);
    let right = format!("Authorization: Bearer {}", home.token());
    // A slip in the query must not turn the preview into the deed.
    assert_eq!(daemon.http("POST /admin/pollers/reload?paln=true", &[&host, &right], "").0, 400);
    assert_eq!(daemon.http("POST /admin/pollers/reload?plan=true", &[&host], "").0, 401);
    assert_eq!(home.run(&["show", "goes"]).code, Some(0));
    assert_eq!(home.json(&["reload"]), expected);
    assert_eq!(home.run(&["show", "goes"]).code, Some(1));
    daemon.stop();
}

#[test]
fn a_job_whose_new_definition_is_wrong_is_planned_to_stay() {
    let home = Home::with_jobs(&[&format!("id: slip, {HOURLY}")]);
    let daemon = home.boot();
    home.jobs("", &["id: slip, kind: chatty, schedule: { every: 5 }"]);
    let plan = home.json(&["reload", "--plan"]);
    assert_eq!((&plan["keep"], &plan["remove"]), (&serde_json::json!(["slip"]), &serde_json::json!([])));
    assert!(plan["refused"][0]["problem"].as_str().unwrap().contains("`every: 5` has no unit: write `every: 5s`"));
    daemon.stop();
}

#[test]
fn a_daemon_whose_plugins_serve_is_ready() {
    let home = Home::with_jobs(&[&format!("id: a, {HOURLY}")]);
    let daemon = home.boot();
    let (status, body) = daemon.get("/readyz");
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"reasons":[]}"#));
    let said = home.run(&["ready"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "ready\n"));
    daemon.stop();
    assert_eq!(home.run(&["ready"]).code, Some(6));
}

/// As in a small image: the health check and the commands still find the daemon, and a job that needs TLS says what is missing.
#[test]
fn a_machine_without_authorities_is_operated_all_the_same() {
    let job = "id: out, kind: webhook_poll, schedule: { every: 1h }, config: { url: \"https://example.com/\", \
               message_template: \"{title}\", deliver: { channel: console, to: ops } }";
    let home = Home::with_jobs(&[job]);
    let bare = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("SSL_CERT_FILE", "/nowhere/ca.pem").env("SSL_CERT_DIR", "/nowhere");
        command
    };
    let daemon = home.boot_with(bare(&["run"]));
    let said: crate::home::Said = bare(&["ready"]).output().unwrap().into();
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "ready\n"), "{said:?}");
    let said: crate::home::Said = bare(&["run", "out"]).output().unwrap().into();
    assert!(said.stdout.contains("install the package ca-certificates"), "{said:?}");
    daemon.stop();
}

#[test]
fn a_check_counts_one_job_as_one_job() {
    let home = Home::with_jobs(&[&format!("id: a, {HOURLY}")]);
    let said = home.run(&["check"]);
    assert!(said.stdout.contains("1 job, all good"), "{said:?}");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let home = Home::with_jobs(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let said = home.run(&["completions", shell]);
        assert_eq!(said.code, Some(0), "{said:?}");
        for command in ["reload", "pause", "completions"] {
            assert!(said.stdout.contains(command), "{shell} does not complete {command}");
        }
    }
    assert_eq!(home.run(&["man", "pages"]).code, Some(0));
    let page = std::fs::read_to_string(home.path().join("pages/nexo-poller.1")).unwrap();
    assert!(page.contains("no daemon answers"), "{page}");
    assert!(home.path().join("pages/nexo-poller-reload.1").exists());
}

#[test]
fn a_dry_run_shows_what_a_tick_would_do_and_nothing_remains_of_it() {
    let home = Home::with_jobs(&[
        &format!("id: says, {HOURLY}, config: {{ do: deliver, deliver: {{ channel: console, to: ops }} }}"),
        &format!("id: counts, {HOURLY}"),
        &format!("id: fails, {HOURLY}, config: {{ do: permanent }}"),
    ]);
    let mut daemon = home.boot();
    let done = home.json(&["dry-run", "says"]);
    assert_eq!(done["outcome"], "ok", "{done}");
    assert_eq!(done["published"][0]["topic"], "plugin.outbound.console.console", "{done}");
    assert_eq!(done["published"][0]["payload"]["to"], "ops");
    // The plugin's own process knows nothing of it, and neither do state and console.
    assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    let done = home.json(&["dry-run", "counts"]);
    assert_eq!((&done["cursor"]["json"], &done["next_cursor"]["json"]), (&1.into(), &2.into()), "{done}");
    assert_eq!((&done["items_seen"], &done["items_dispatched"]), (&5.into(), &2.into()));
    assert_eq!(home.cursor("counts").as_deref(), Some(b"1".as_slice()));
    assert_eq!(home.json(&["show", "says"])["ticks_ok"], 0);
    let said = home.run(&["dry-run", "fails"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stdout.starts_with("permanent in ") && said.stdout.contains("nothing was published"), "{said:?}");
    assert_eq!(home.json(&["show", "fails"])["phase"], "scheduled", "a failed dry run pauses nothing");
    assert_eq!(home.run(&["dry-run", "nobody"]).code, Some(1));
    daemon.signal("TERM");
    daemon.ended();
    assert!(!daemon.heard_out.contains("ops"), "{}", daemon.heard_out);
}

#[test]
fn a_cursor_is_shown_set_cleared_and_restored_and_needs_the_token() {
    let home = Home::with_jobs(&[&format!("id: counts, {HOURLY}")]);
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    assert_eq!(home.run(&["cursor", "counts"]).stdout, "cursor:   1\nprevious: none\n");
    assert_eq!(home.json(&["cursor", "counts", "--set", "41"])["cursor"]["text"], "41");
    assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    assert_eq!(home.cursor("counts").as_deref(), Some(b"42".as_slice()));
    assert_eq!(home.json(&["cursor", "counts", "--set-base64", "Nw=="])["cursor"]["json"], 7);
    let cleared = home.json(&["cursor", "counts", "--clear"]);
    assert_eq!((cleared["cursor"].is_null(), &cleared["previous"]["json"]), (true, &7.into()));
    assert_eq!(home.json(&["cursor", "counts", "--restore"])["cursor"]["json"], 7);
    // A reset forgets nothing for good.
    assert_eq!(home.run(&["reset", "counts", "--yes"]).code, Some(0));
    assert_eq!(home.json(&["cursor", "counts", "--restore"])["cursor"]["json"], 7);
    assert_eq!(home.run(&["cursor", "counts", "--set", "1", "--clear"]).code, Some(2), "one change at a time");
    let right = format!("Authorization: Bearer {}", home.token());
    let headers = [&*format!("Host: {}", daemon.address), &right, "Content-Type: application/json"];
    for (size, status, said) in [
        (262_144, 200, "\"bytes\":262144"),
        (262_145, 422, "job `counts` has 262145 bytes, over the limit of 262144"),
        (600_000, 413, "a cursor has at most 262144"),
    ] {
        let order = serde_json::json!({ "text": "x".repeat(size) }).to_string();
        let answer = daemon.http("PUT /admin/pollers/counts/cursor", &headers, &order);
        assert!(answer.0 == status && answer.1.contains(said), "{size}: {}", &answer.1[..answer.1.len().min(300)]);
    }
    let said = home.run(&["cursor", "counts", "--set-base64", "*"]);
    assert!(said.stderr.contains("is not base64"), "{said:?}");
    assert_eq!(daemon.get("/admin/pollers/counts/cursor").0, 401);
    assert_eq!(daemon.get("/admin/plugins/chatty/log").0, 401);
    daemon.stop();
}

#[test]
fn what_a_plugin_writes_to_stderr_and_how_ticks_went_can_be_looked_up() {
    let home = Home::with_jobs(&[
        &format!("id: pollutes, {HOURLY}, config: {{ do: pollute }}"),
        &format!("id: fails, {HOURLY}, config: {{ do: transient }}"),
    ]);
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "pollutes"]).code, Some(0));
    let said = home.run(&["logs", "chatty"]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.lines().count() >= 1, "{said:?}");
    assert_eq!(home.run(&["logs", "nobody"]).code, Some(1));
    home.run(&["run", "fails"]);
    let ticks: serde_json::Value = serde_json::from_str(&daemon.get("/admin/pollers/fails/ticks").1).unwrap();
    assert_eq!(ticks["ticks"][0]["outcome"], "transient", "{ticks}");
    assert!(ticks["ticks"][0]["took_ms"].is_u64(), "{ticks}");
    daemon.stop();
}

#[test]
fn events_are_told_as_they_happen_to_whoever_listens() {
    let home = Home::with_jobs(&[&format!("id: a, {HOURLY}"), &format!("id: b, {HOURLY}")]);
    let daemon = home.boot();
    let mut listening = home.command(&["events", "a"]);
    let mut listening = listening.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(listening.stdout.take().unwrap()).lines();
    // Until its first event has come, nobody knows that it listens.
    let first = std::thread::spawn(move || (heard.next().unwrap().unwrap(), heard));
    while !first.is_finished() {
        assert_eq!(home.run(&["run", "b"]).code, Some(0));
        assert_eq!(home.run(&["run", "a"]).code, Some(0));
    }
    let (line, mut heard) = first.join().unwrap();
    assert!(line.contains("started") && line.ends_with(" a"), "{line}");
    let line = heard.next().unwrap().unwrap();
    assert!(line.contains("ended") && line.ends_with(" a ok"), "{line}");
    assert_eq!(home.run(&["pause", "a", "--reason", "moved"]).code, Some(0));
    heard.find(|line| line.as_ref().unwrap().contains("changed")).unwrap().unwrap();
    daemon.stop();
    let ended = listening.wait().unwrap();
    assert_eq!(ended.code(), Some(6), "a daemon that ends is told by the exit code");
}

#[test]
fn top_shows_a_pause_as_it_happens_and_leaves_the_terminal_as_it_was() {
    let home = Home::with_jobs(&["id: orders, kind: chatty, schedule: { every: 1h }"]);
    let daemon = home.boot();
    // `script` lends it a terminal.
    let binary = home.command(&["top", "--every", "0.2"]);
    let line = format!("stty rows 20 cols 100; {} top --every 0.2", binary.get_program().display());
    let mut script = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(home.path())
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("`script` lends a terminal; it is in Debian's package bsdutils");
    let mut out = script.stdout.take().unwrap();
    let mut seen = String::new();
    let mut read_until = |wanted: &str, seen: &mut String| {
        let mut buffer = [0; 4096];
        while !seen.contains(wanted) {
            let n = std::io::Read::read(&mut out, &mut buffer).unwrap();
            assert!(n > 0, "it ended without {wanted:?}: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    };
    read_until("1 scheduled", &mut seen);
    assert_eq!(home.run(&["pause", "orders", "--reason", "a test"]).code, Some(0));
    read_until("1 paused", &mut seen);
    std::io::Write::write_all(script.stdin.as_mut().unwrap(), b"q").unwrap();
    read_until("\u{1b}[?1049l", &mut seen);
    assert!(script.wait().unwrap().success());
    assert!(!seen.contains("\u{1b}[38;5"), "NO_COLOR: {seen:?}");

    let said = home.run(&["top"]);
    assert!(said.code != Some(0) && said.stderr.contains("`top` needs a terminal"), "{said:?}");
    daemon.stop();
}
