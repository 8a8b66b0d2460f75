//! What is secret is seen by the plugin that needs it, and by nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};
use rusqlite::types::ValueRef;
use serde_json::json;

use crate::home::Home;

const IN_CONFIG: &str = "canary-config-7f3a91";
const IN_CREDENTIALS: &str = "canary-credentials-7f3a92";
const IN_CURSOR: &str = "canary-cursor-7f3a93";
const IN_QUERY: &str = "canary-query-7f3a94";
const IN_HEADER: &str = "canary-header-7f3a95";
const IN_PASSWORD: &str = "canary-password-7f3a96";
const IN_ENVIRONMENT: &str = "canary-environment-7f3a97";
const IN_SIGNATURE: &str = "canary/signature+7f3a98";
const IN_ADDRESS: &str = "canary-address-7f3a99";
const IN_FILE: &str = "canary \"file\" 7f3a9a";
const IN_LINES: &str = "canary-lines-7f3a9b-first-line";
const IN_WEBHOOK: &str = "canary-webhook-7f3a9c";
const IN_MODEL: &str = "canary-model-7f3a9d";

/// Each of them, with how it may be written.
fn canaries(home: &Home) -> Vec<(String, Vec<String>)> {
    let plain = [
        IN_CONFIG,
        IN_CREDENTIALS,
        IN_CURSOR,
        IN_QUERY,
        IN_HEADER,
        IN_PASSWORD,
        IN_ENVIRONMENT,
        IN_SIGNATURE,
        IN_ADDRESS,
        IN_FILE,
        IN_LINES,
        IN_WEBHOOK,
        IN_MODEL,
    ];
    let token = home.token();
    let forms = |secret: &str| {
        let percent = |small: bool| -> String {
            let byte = |byte: u8| if small { format!("%{byte:02x}") } else { format!("%{byte:02X}") };
            secret.bytes().map(byte).collect()
        };
        let basic = format!("ana:{secret}");
        let quoted = json!(secret).to_string();
        vec![
            secret.to_owned(),
            quoted[1..quoted.len() - 1].to_owned(),
            percent(false),
            percent(true),
            STANDARD.encode(&basic),
            URL_SAFE_NO_PAD.encode(&basic),
            STANDARD_NO_PAD.encode(secret),
        ]
    };
    let all = plain.into_iter().chain([token.as_str()]);
    // A cursor is a poller's own: it is known as it is and as it travels.
    let known = |secret: &str| if secret == IN_CURSOR { 2 } else { usize::MAX };
    all.map(|secret| (secret.to_owned(), forms(secret).into_iter().take(known(secret)).collect())).collect()
}

/// Everything that the store holds, but for the cursors: all columns of all tables.
fn stored(home: &Home) -> String {
    let store = rusqlite::Connection::open(home.path().join("data/poller.db")).unwrap();
    let mut tables = store.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = String::new();
    for table in tables {
        let mut rows = store.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (at, column) in columns.iter().enumerate().filter(|(_, column)| !column.contains("cursor")) {
                let value = match row.get_ref(at).unwrap() {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    other => format!("{other:?}"),
                };
                all += &format!("{table}.{column} = {value}\n");
            }
        }
    }
    all
}

#[test]
fn secrets_of_config_credentials_and_cursor_are_found_nowhere_outside() {
    let source = HttpReplay::of(Recording::from([
        // A source that says what it was asked with, where the error of a built-in kind quotes it.
        Exchange::get("/items").json(&json!({ IN_WEBHOOK: 1 })),
        Exchange::post("/v1/chat/completions").json(&json!({
            "id": "c", "object": "chat.completion", "model": "m-1", "echo": format!("Bearer {IN_MODEL}"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        })),
    ]));
    let job = |act: &str| {
        let deliver = "deliver: { channel: console, to: ops }";
        let signature = IN_SIGNATURE.replace('/', "%2F").replace('+', "%2B");
        format!(
            "id: {act}, kind: chatty, schedule: {{ every: 1h }}, config: {{ do: {act}, secret: {IN_CONFIG}, {deliver}, \
             url: 'https://ana:{IN_PASSWORD}@example.com/feed?api_key={IN_QUERY}', \
             headers: {{ Authorization: 'Bearer {IN_HEADER}', X-Auth: '{IN_HEADER}' }}, \
             more: {{ blob: 'https://files.example.com/a?sv=1&sig={signature}', clone: 'https://{IN_ADDRESS}@git.example.com/a', \
             said: '${{file:said}}', private_key: \"-----BEGIN KEY-----\\n{IN_LINES}\\n-----END KEY-----\\n\" }} }}"
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
    let mut jobs: Vec<String> = acts.iter().map(|act| job(act)).collect();
    jobs.push(format!(
        "id: webhook, kind: webhook_poll, schedule: {{ every: 1h }}, config: {{ url: '{}', message_template: '{{id}}', \
         headers: {{ X-Api-Key: '${{tracker.token}}' }}, allow_private_networks: true, deliver: {{ channel: console, to: ops }} }}",
        source.url("/items")
    ));
    jobs.push(
        "id: turn, kind: agent_turn, schedule: { every: 1h }, config: { llm: { provider: p, model: m-1 }, user_prompt: Hi, \
         deliver: { channel: console, to: ops } }"
            .to_owned(),
    );
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let home = Home::with_jobs(&jobs);
    home.jobs("  credentials: accounts.yaml\n", &jobs);
    // The plugin sees what it is given of the daemon's environment.
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let (before, rest) = text.split_once("plugins: [ ").unwrap();
    let (path, after) = rest.split_once(" ]").unwrap();
    let given = "env: { CHATTY_TOKEN: \"${CHATTY_TOKEN:-}\" }";
    home.write("pollers.yaml", &format!("{before}plugins: [ {{ path: {path}, {given} }} ]{after}"));
    home.private("said", &format!("{IN_FILE}\n"));
    home.private(
        "accounts.yaml",
        &format!(
            "agents: {{ ana: {{ console: {{ account_id: console, token: {IN_CREDENTIALS} }}, \
             tracker: {{ account_id: t, token: {IN_WEBHOOK} }} }} }}\n\
             llm: {{ p: {{ api: openai, base_url: \"{}\", api_key: {IN_MODEL} }} }}\n",
            source.url("/v1")
        ),
    );
    home.boot().stop();
    let store = rusqlite::Connection::open(home.path().join("data/poller.db")).unwrap();
    let cursor = json!({ "at": IN_CURSOR }).to_string().into_bytes();
    for job in ["count", "leak"] {
        assert_eq!(store.execute("UPDATE job SET cursor = ?1 WHERE id = ?2", (&cursor, job)).unwrap(), 1);
    }
    drop(store);

    let mut seen = vec![format!("{:?}", home.run(&["check"]))];
    let mut command = home.command(&["run", "--log-format", "json"]);
    command.env("RUST_LOG", "trace").env("CHATTY_TOKEN", IN_ENVIRONMENT);
    let mut daemon = home.boot_with(command);
    for act in acts.iter().chain(&["webhook", "turn"]) {
        seen.push(format!("{:?}", home.run(&["run", act])));
        seen.push(format!("{:?}", home.run(&["show", act])));
        seen.push(daemon.get(&format!("/admin/pollers/{act}")).1);
    }
    for path in ["/admin/pollers", "/admin/plugins", "/metrics", "/healthz"] {
        seen.push(daemon.get(path).1);
    }
    seen.push(format!("{:?}", home.run(&["logs", "chatty"])));
    seen.push(format!("{:?}", home.run(&["reload", "--log", "trace"])));
    // The wrong file says where it is wrong, and not what stands there.
    home.write("accounts.yaml", &format!("agents: {{ ana: {{ console: {IN_CREDENTIALS} }} }}\n"));
    seen.push(format!("{:?}", home.run(&["reload"])));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    seen.push(std::mem::take(&mut daemon.heard_log));
    seen.push(std::mem::take(&mut daemon.heard_out));
    seen.push(stored(&home));

    assert!(source.asked_header("x-api-key").contains(&Some(IN_WEBHOOK.to_owned())), "the secret was used");
    assert!(seen.iter().any(|text| text.contains("delivered")), "the jobs did run");
    assert!(seen.iter().any(|text| text.contains("(secret hidden)")), "something was hidden");
    assert!(
        seen.iter().any(|text| text.contains("poller_custom_leaks_total{kind=\"chatty\"")),
        "the counter did count"
    );
    let leaks = seen.iter().map(|text| text.matches("leaked: ").count()).sum::<usize>();
    assert!(leaks >= 30, "stderr, log and error were seen, without the secrets: {leaks}");
    let all = canaries(&home);
    let mut found = Vec::new();
    for (canary, forms) in &all {
        for (text, form) in seen.iter().flat_map(|text| forms.iter().map(move |form| (text, form))) {
            if let Some(at) = text.find(form.as_str()) {
                let around: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                found.push(format!("`{canary}` is seen as `{form}` after: …{around}"));
            }
        }
    }
    let hidden =
        all.iter().filter(|(canary, _)| !found.iter().any(|line| line.starts_with(&format!("`{canary}`")))).count();
    println!("{hidden} of {} canaries hidden", all.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
