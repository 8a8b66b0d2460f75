//! Callers of the admin API who do not wait for the answer.

use std::path::Path;

use fixtures::chatty;
use serde_json::Value;

use crate::home::Home;

/// Puts a copy of the plugin at `path`, at once, as an installer does.
fn install(path: &Path) {
    let draft = path.with_extension("new");
    std::fs::copy(chatty().get_program(), &draft).unwrap();
    std::fs::rename(draft, path).unwrap();
}

fn plugins(answer: &Value) -> &[Value] {
    answer["plugins"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn a_plugin_is_replaced_to_the_end_though_whoever_asked_for_it_has_hung_up() {
    let job = "id: blocks, kind: chatty, schedule: { every: 1h }, config: { do: block }";
    let home = Home::with_jobs(&[job]);
    let program = home.path().join("fixture_chatty");
    install(&program);
    let file = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let plugin = chatty().get_program().to_str().unwrap().to_owned();
    home.write("pollers.yaml", &file.replace(&plugin, program.to_str().unwrap()));
    let mut daemon = home.boot();
    let headers = [format!("Host: {}", daemon.address), format!("Authorization: Bearer {}", home.token())];
    let headers = headers.each_ref().map(String::as_str);
    // A tick that never ends keeps the old process for as long as one is left to end.
    let _run = daemon.send("POST /admin/pollers/blocks/run", &headers, "");
    daemon.wait_for_answer("/admin/pollers/blocks", |job| job["phase"] == "running");
    let before = daemon.wait_for_answer("/admin/plugins", |answer| plugins(answer)[0]["state"] == "up");
    install(&program);
    let reload = daemon.send("POST /admin/pollers/reload", &headers, "");
    daemon.wait_for_answer("/admin/plugins", |answer| plugins(answer).is_empty());
    drop(reload);
    let after = daemon.wait_for_answer("/admin/plugins", |answer| {
        plugins(answer).first().is_some_and(|plugin| plugin["state"] == "up")
    });
    assert_ne!(plugins(&before)[0]["pid"], plugins(&after)[0]["pid"]);
    daemon.wait_for_log("reloaded");
    assert_eq!(home.run(&["ready"]).code, Some(0));
    daemon.stop();
}
