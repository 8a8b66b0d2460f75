//! The admin API and the command line on a running daemon.

use serde_json::Value;

use crate::home::Home;

const COUNT: &str = "id: count, kind: chatty, schedule: { every: 1h }, config: { do: count }";

#[test]
fn calls_that_change_something_need_the_token_and_others_do_not() {
    let home = Home::with_jobs(&[COUNT]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    for path in ["/admin/pollers", "/admin/pollers/count", "/admin/pollers/count/next", "/admin/plugins", "/healthz"] {
        let (status, body) = daemon.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str::<Value>(&body).unwrap();
    }
    let (status, metrics) = daemon.get("/metrics");
    assert_eq!(status, 200);
    for series in ["poller_ticks", "poller_outbound_unheard_total", "poller_plugin_up"] {
        assert!(metrics.contains(series), "{series} is missing in\n{metrics}");
    }
    assert_eq!(metrics.matches("# EOF").count(), 1);
    assert_eq!(daemon.get("/admin/pollers/nobody").0, 404);
    assert_eq!(daemon.get("/nowhere").0, 404);
    let token = home.token();
    let right = format!("Authorization: Bearer {token}");
    for action in ["run", "pause", "resume", "reset"] {
        let line = format!("POST /admin/pollers/count/{action}");
        for wrong in ["X-Nothing: 1", "Authorization: Bearer wrong", "Authorization: Basic x"] {
            assert_eq!(daemon.http(&line, &[&host, wrong], "").0, 401, "{action} with {wrong}");
        }
        let (status, body) = daemon.http(&line, &[&host, &right], "");
        assert_eq!(status, 200, "{action}: {body}");
    }
    assert_eq!(daemon.http("POST /admin/pollers/reload", &[&host], "").0, 401);
    let plan: Value = serde_json::from_str(&daemon.http("POST /admin/pollers/reload", &[&host, &right], "").1).unwrap();
    assert_eq!(plan, serde_json::json!({"add": [], "replace": [], "remove": [], "keep": ["count"]}));
    let huge = "x".repeat(200_000);
    let json = "Content-Type: application/json";
    assert_eq!(daemon.http("POST /admin/pollers/count/pause", &[&host, &right, json], &huge).0, 413);
    daemon.stop();
}

#[test]
fn a_foreign_host_or_origin_or_a_form_is_refused_before_routing() {
    let home = Home::with_jobs(&[COUNT]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    let port = daemon.address.rsplit_once(':').unwrap().1.to_owned();
    let right = format!("Authorization: Bearer {}", home.token());
    for path in ["/admin/pollers", "/metrics", "/healthz", "/nowhere"] {
        for foreign in [format!("Host: evil.example:{port}"), "Host: 127.0.0.1".to_owned(), "X-No-Host: 1".to_owned()] {
            let (status, _) = daemon.http(&format!("GET {path}"), &[&foreign], "");
            assert!(matches!(status, 400 | 421), "{path} {foreign}: {status}");
        }
        let (status, _) = daemon.http(&format!("GET {path}"), &[&host, "Origin: http://evil.example"], "");
        assert_eq!(status, 403, "{path}");
    }
    let form = ["Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded"];
    for media in form {
        let (status, _) = daemon.http("POST /admin/pollers/count/reset", &[&host, &right, media], "{}");
        assert_eq!(status, 415, "{media}");
    }
    daemon.stop();
}

#[test]
fn pause_resume_and_reset_hold_over_a_restart() {
    let home = Home::with_jobs(&[COUNT]);
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    assert_eq!(home.run(&["pause", "count", "--reason", "the source is being moved"]).code, Some(0));
    daemon.stop();
    let daemon = home.boot();
    let shown = home.json(&["show", "count"]);
    assert_eq!(shown["phase"], "paused");
    assert_eq!(shown["paused"]["reason"], "the source is being moved");
    assert!(home.run(&["show", "count"]).stdout.contains("the source is being moved"));
    assert_eq!(home.run(&["resume", "count"]).code, Some(0));
    daemon.stop();
    assert_eq!(home.cursor("count").as_deref(), Some(b"1".as_slice()));
    let daemon = home.boot();
    assert_eq!(home.json(&["show", "count"])["phase"], "scheduled");
    let said = home.run(&["reset", "count"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("add --yes"), "{said:?}");
    assert_eq!(home.run(&["reset", "count", "--yes"]).code, Some(0));
    daemon.stop();
    assert_eq!(home.cursor("count"), None);
}

#[test]
fn a_reload_adds_replaces_removes_and_keeps_and_a_broken_file_changes_nothing() {
    let stays = "id: stays, kind: chatty, schedule: { every: 1h }";
    let changes = "id: changes, kind: chatty, schedule: { every: 1h }";
    let goes = "id: goes, kind: chatty, schedule: { every: 1h }";
    let home = Home::with_jobs(&[stays, changes, goes]);
    let mut daemon = home.boot();
    home.jobs(
        "",
        &[
            stays,
            "id: changes, kind: chatty, schedule: { every: 2h }",
            "id: comes, kind: chatty, schedule: { every: 1h }",
        ],
    );
    let plan = home.json(&["reload"]);
    let expected = serde_json::json!({"add": ["comes"], "replace": ["changes"], "remove": ["goes"], "keep": ["stays"]});
    assert_eq!(plan, expected);
    let good = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &good.replace("jobs:", "jbos:"));
    daemon.signal("HUP");
    daemon.wait_for_log("nothing was changed");
    daemon.wait_for_log("did you mean `jobs`?");
    home.write("pollers.yaml", &good);
    assert_eq!(home.json(&["list"])["pollers"].as_array().unwrap().len(), 3);
    home.jobs("", &[stays]);
    daemon.signal("HUP");
    daemon.wait_for_log("reloaded add=0 replace=0 remove=2 keep=1");
    daemon.stop();
}

#[test]
fn a_mistake_in_a_running_job_or_a_missing_plugin_stops_nothing_at_a_reload() {
    let home = Home::with_jobs(&[COUNT, "id: other, kind: chatty, schedule: { every: 1h }"]);
    let mut daemon = home.boot();
    home.jobs("", &[&COUNT.replace("every", "evry"), "id: other, kind: chatty, schedule: { every: 1h }"]);
    let said = home.run(&["reload"]);
    assert!(said.stdout.contains("did you mean `every`?"), "{said:?}");
    daemon.wait_for_log("its new definition is wrong: it goes on with the old one");
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    // The plugin's binary is away for a moment, as while it is being replaced.
    let file = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &file.replace("evry", "every").replace("fixture_chatty", "fixture_gone"));
    home.run(&["reload"]);
    daemon.wait_for_log("no plugin is taken away while some cannot be used");
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    daemon.stop();
}

#[test]
fn a_second_daemon_on_the_same_state_leaves_the_first_one_reachable() {
    let home = Home::with_jobs(&[COUNT]);
    let first = home.boot();
    let mut second = home.boot();
    second.wait_for_log("shares this state");
    second.stop();
    assert_eq!(home.run(&["list"]).code, Some(0), "its address is still there");
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    first.stop();
}

#[test]
fn a_reload_takes_plugins_away_and_brings_them_back() {
    let home = Home::with_jobs(&[COUNT]);
    let daemon = home.boot();
    let with = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", "pollers:\n  jobs: []\n");
    assert_eq!(home.json(&["reload"])["remove"][0], "count");
    assert_eq!(home.json(&["plugins"])["plugins"].as_array().unwrap().len(), 0);
    home.write("pollers.yaml", &with);
    assert_eq!(home.json(&["reload"])["add"][0], "count");
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    daemon.stop();
}

#[test]
fn run_by_hand_tells_by_its_exit_code_how_the_tick_ended() {
    let job = |id| format!("id: {id}, kind: chatty, schedule: {{ every: 1h }}, config: {{ do: {id} }}");
    let jobs: Vec<String> = ["count", "transient", "permanent", "llm"].map(job).into();
    let home = Home::with_jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
    let mut daemon = home.boot();
    for (id, code) in [("count", 0), ("transient", 5), ("permanent", 4), ("llm", 3), ("nobody", 1)] {
        let said = home.run(&["run", id]);
        assert_eq!(said.code, Some(code), "{id}: {said:?}");
    }
    assert!(daemon.wait_for_log("is paused until somebody resumes it").contains("job=permanent"));
    assert!(daemon.wait_for_log("is paused until its config is fixed").contains("job=llm"));
    // A job that was paused and goes well by hand is not on its schedule again.
    assert_eq!(home.run(&["cursor", "count", "--set", "[]"]).code, Some(0));
    assert_eq!(home.run(&["run", "count"]).code, Some(4));
    assert_eq!(home.run(&["cursor", "count", "--restore"]).code, Some(0));
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    assert!(daemon.wait_for_log("the tick went well; the job stays paused").contains("job=count"));
    assert_eq!(home.run(&["resume", "count"]).code, Some(0));
    assert_eq!(home.run(&["next", "count", "-n", "3"]).stdout.lines().count(), 3);
    daemon.stop();
}

#[test]
fn a_daemon_that_is_not_there_is_one_sentence() {
    let home = Home::with_jobs(&[COUNT]);
    let said = home.run(&["list"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(6), ""));
    assert_eq!(
        said.stderr,
        "nexo-poller: no daemon is running for pollers.yaml; start one with `nexo-poller run -c pollers.yaml`\n"
    );
    // The address of a daemon that was killed leads nowhere.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.write("data/admin.addr", &free.to_string());
    home.private("data/admin.token", "its token");
    let said = home.run(&["list"]);
    assert_eq!(said.code, Some(6));
    assert!(said.stderr.contains("nobody listens there") && said.stderr.lines().count() == 1, "{said:?}");
}

#[test]
fn a_message_to_a_channel_that_nobody_serves_is_counted_and_warned_about_once() {
    let job =
        "id: lost, kind: chatty, schedule: { every: 1h }, config: { do: deliver, deliver: { channel: pigeon, to: x } }";
    let home = Home::with_jobs(&[job]);
    home.jobs("  credentials: accounts.yaml\n", &[job]);
    home.private("accounts.yaml", "agents: { ana: { pigeon: { account_id: coop_1 } } }\n");
    let mut daemon = home.boot();
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "lost"]).code, Some(0));
    }
    assert!(daemon.get("/metrics").1.contains("poller_outbound_unheard_total 3"));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!(daemon.heard_log.matches("nobody listens").count(), 1, "{}", daemon.heard_log);
}
