//! What the person on call does: look for jobs, preview a reload, pause in one's own name, complete the command line.

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
