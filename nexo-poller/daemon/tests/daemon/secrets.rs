//! What is secret is seen by the plugin that needs it, and by nobody else.

use crate::home::Home;

const IN_CONFIG: &str = "canary-config-7f3a91";
const IN_CREDENTIALS: &str = "canary-credentials-7f3a92";
const IN_CURSOR: &str = "canary-cursor-7f3a93";
const IN_QUERY: &str = "canary-query-7f3a94";
const IN_HEADER: &str = "canary-header-7f3a95";
const IN_PASSWORD: &str = "canary-password-7f3a96";
const IN_ENVIRONMENT: &str = "canary-environment-7f3a97";

#[test]
fn secrets_of_config_credentials_and_cursor_are_found_nowhere_outside() {
    let job = |id: &str, act: &str| {
        let deliver = "deliver: { channel: console, to: ops }";
        format!(
            "id: {id}, kind: chatty, schedule: {{ every: 1h }}, config: {{ do: {act}, secret: {IN_CONFIG}, {deliver}, \
             url: 'https://ana:{IN_PASSWORD}@example.com/feed?api_key={IN_QUERY}', \
             headers: {{ Authorization: 'Bearer {IN_HEADER}' }} }}"
        )
    };
    let acts = [
        "count",
        "deliver",
        "publish",
        "transient",
        "permanent",
        "panic",
        "publish_outside",
        "llm",
        "leak",
        "nonsense",
    ];
    let jobs: Vec<String> = acts.iter().map(|act| job(act, act)).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let home = Home::with_jobs(&jobs);
    home.jobs("  credentials: accounts.yaml\n", &jobs);
    // The plugin sees what it is given of the daemon's environment.
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let (before, rest) = text.split_once("plugins: [ ").unwrap();
    let (path, after) = rest.split_once(" ]").unwrap();
    let given = "env: { CHATTY_TOKEN: \"${CHATTY_TOKEN:-}\" }";
    home.write("pollers.yaml", &format!("{before}plugins: [ {{ path: {path}, {given} }} ]{after}"));
    let accounts = format!("agents: {{ ana: {{ console: {{ account_id: console, token: {IN_CREDENTIALS} }} }} }}\n");
    home.private("accounts.yaml", &accounts);
    home.boot().stop();
    let store = rusqlite::Connection::open(home.path().join("data/poller.db")).unwrap();
    let cursor = format!("\"{IN_CURSOR}\"").into_bytes();
    assert_eq!(store.execute("UPDATE job SET cursor = ?1 WHERE id = 'count'", [&cursor]).unwrap(), 1);
    drop(store);

    let mut seen = vec![format!("{:?}", home.run(&["check"]))];
    let mut command = home.command(&["run", "--log-format", "json"]);
    command.env("RUST_LOG", "trace").env("CHATTY_TOKEN", IN_ENVIRONMENT);
    let mut daemon = home.boot_with(command);
    for act in acts {
        seen.push(format!("{:?}", home.run(&["run", act])));
        seen.push(format!("{:?}", home.run(&["show", act])));
        seen.push(daemon.get(&format!("/admin/pollers/{act}")).1);
    }
    for path in ["/admin/pollers", "/admin/plugins", "/metrics", "/healthz"] {
        seen.push(daemon.get(path).1);
    }
    seen.push(format!("{:?}", home.run(&["reload", "--log", "trace"])));
    // The wrong file says where it is wrong, and not what stands there.
    home.write("accounts.yaml", &format!("agents: {{ ana: {{ console: {IN_CREDENTIALS} }} }}\n"));
    seen.push(format!("{:?}", home.run(&["reload"])));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    seen.push(std::mem::take(&mut daemon.heard_log));
    seen.push(std::mem::take(&mut daemon.heard_out));
    let store = rusqlite::Connection::open(home.path().join("data/poller.db")).unwrap();
    let mut rows = store.prepare("SELECT coalesce(pause, '') || coalesce(failure, '') FROM job").unwrap();
    let notes = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    seen.extend(notes.map(Result::unwrap));

    assert!(seen.iter().any(|text| text.contains("delivered")), "the jobs did run");
    assert!(seen.iter().any(|text| text.contains("(secret hidden)")), "something was hidden");
    let leaks = seen.iter().map(|text| text.matches("leaked: ").count()).sum::<usize>();
    assert!(leaks >= 3, "stderr, log and error were seen, without the secrets");
    for text in &seen {
        for canary in
            [IN_CONFIG, IN_CREDENTIALS, IN_CURSOR, IN_QUERY, IN_HEADER, IN_PASSWORD, IN_ENVIRONMENT, &home.token()]
        {
            let at = text.find(canary);
            assert_eq!(at, None, "`{canary}` is seen in: …{}…", &text[at.unwrap_or(0).saturating_sub(200)..]);
        }
    }
}
