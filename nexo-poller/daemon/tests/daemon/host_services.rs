//! What the operator keeps outside `pollers.yaml`: accounts, keys, language models.

use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};
use serde_json::{Value, json};

use crate::home::Home;

const HOURLY: &str = "schedule: { every: 1h }, paused_on_boot: true";
const KEY: &str = "sk-hunter2-hunter2";

fn model(status: u16) -> HttpReplay {
    let answer = json!({
        "id": "c", "object": "chat.completion", "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Buenos días"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    });
    HttpReplay::of(Recording::from([Exchange::post("/v1/chat/completions").status(status).json(&answer)]))
}

fn turn(id: &str, provider: &str) -> String {
    format!(
        "id: {id}, kind: agent_turn, {HOURLY}, config: {{ llm: {{ provider: {provider}, model: m-1 }}, user_prompt: Hola, \
         deliver: {{ channel: console, to: ops }} }}"
    )
}

fn accounts(home: &Home, text: &str) {
    home.private("accounts.yaml", text);
}

#[test]
fn a_model_is_asked_with_a_key_from_the_environment_and_replaced_without_a_restart() {
    let (works, refuses) = (model(200), model(401));
    let home = Home::with_jobs(&[]);
    home.jobs("  credentials: accounts.yaml\n", &[&turn("morning", "claude"), &turn("stray", "none")]);
    let provider = |server: &HttpReplay| {
        format!("llm:\n  claude: {{ api: openai, base_url: \"{}\", api_key: \"${{LLM_KEY}}\" }}\n", server.url("/v1"))
    };
    accounts(&home, &provider(&works));
    let mut command = home.command(&["run"]);
    command.env("LLM_KEY", KEY);
    let mut daemon = home.boot_with(command);
    assert_eq!(home.run(&["run", "morning"]).code, Some(0));
    daemon.wait_for_out("ops ← Buenos días");
    assert_eq!(works.asked_header("authorization"), [Some(format!("Bearer {KEY}"))]);
    let metrics = daemon.get("/metrics").1;
    assert!(metrics.contains("poller_llm_tokens_total{provider=\"claude\",direction=\"input\"} 12"), "{metrics}");
    let stray = home.run(&["run", "stray"]);
    assert!(stray.stdout.contains("no LLM provider `none`: known are claude"), "{stray:?}");

    accounts(&home, &provider(&refuses));
    assert_eq!(home.run(&["reload"]).code, Some(0));
    let refused = home.run(&["run", "morning"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stdout.contains("`claude` refused the key (HTTP status 401)"), "{refused:?}");
    daemon.signal("TERM");
    daemon.ended();
    assert!(!daemon.heard_log.contains("hunter2"), "{}", daemon.heard_log);
}

#[test]
fn an_account_takes_its_secrets_from_the_environment_and_from_private_files() {
    let home = Home::with_jobs(&[]);
    let server = HttpReplay::of(Recording::from([Exchange::get("/").json(&json!([]))]));
    let job = format!(
        "id: list, kind: webhook_poll, {HOURLY}, config: {{ url: \"{}\", headers: {{ x-one: \"${{tracker.one}}\", x-two: \
         \"${{tracker.nested.two}}\" }}, message_template: x, allow_private_networks: true, deliver: {{ channel: console, to: ops }} }}",
        server.url("/")
    );
    home.jobs("  credentials: accounts.yaml\n", &[&job]);
    accounts(
        &home,
        "agents:\n  ana:\n    tracker: { account_id: a, one: \"${TRACKER}\", nested: { two: \"${file:token}\" } }\n",
    );
    home.private("token", "from-the-file\n");
    let mut command = home.command(&["run"]);
    command.env("TRACKER", "from-the-environment");
    let daemon = home.boot_with(command);
    assert_eq!(home.run(&["run", "list"]).code, Some(0));
    let sent = |name| server.asked_header(name).remove(0);
    assert_eq!(sent("x-one").as_deref(), Some("from-the-environment"));
    assert_eq!(sent("x-two").as_deref(), Some("from-the-file"));
    daemon.stop();
}

#[test]
fn a_secret_that_is_not_there_is_named_with_its_place_and_stops_the_boot() {
    let home = Home::with_jobs(&[]);
    home.jobs("  credentials: accounts.yaml\n", &[]);
    accounts(
        &home,
        "agents:\n  ana:\n    tracker: { account_id: a, one: \"${NO_SUCH}\", two: \"${file:none}\" }\nllm:\n  claude: { api: \
         anthropic }\n  odd: { api: gpt }\n",
    );
    let said = home.fail_to_boot();
    for sentence in [
        "accounts.yaml:3:36: the environment variable `NO_SUCH` is not set",
        "none cannot be read",
        "the provider lacks `api_key`: write `api_key: ${NAME}`",
        "`api` is one of openai, openai_responses, anthropic",
    ] {
        assert!(said.stderr.contains(sentence), "{sentence}: {}", said.stderr);
    }
    // `check` says the same without a daemon.
    let checked = home.json(&["check"]);
    assert_eq!(checked["problems"].as_array().map(Vec::len), Some(4), "{checked}");
}

#[test]
fn the_file_of_jobs_takes_variables_and_one_that_is_not_set_leaves_out_its_job_only() {
    let home = Home::with_jobs(&[
        "id: good, kind: chatty, schedule: { every: \"${PACE:-1h}\" }, config: { do: publish, secret: \"${price} $${X}\" }",
        "id: bad, kind: chatty, schedule: { every: 1h }, config: { secret: \"${NO_SUCH}\" }",
    ]);
    let daemon = home.boot();
    let listed = home.json(&["list"]);
    let ids: Vec<&Value> = listed["pollers"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(ids, ["good"]);
    let why = listed["refused"][0]["problem"].as_str().unwrap();
    assert!(why.contains("job `bad`") && why.contains("`NO_SUCH` is not set"), "{why}");
    assert_eq!(home.run(&["run", "good"]).code, Some(0));
    daemon.stop();
}

#[test]
fn a_poller_that_floods_the_log_is_counted_and_forges_no_line() {
    let home = Home::with_jobs(&[&format!("id: flood, kind: chatty, {HOURLY}, config: {{ do: log_flood }}")]);
    let mut daemon = home.boot();
    assert_eq!(home.run(&["run", "flood"]).code, Some(5));
    daemon.signal("TERM");
    daemon.ended();
    let log = &daemon.heard_log;
    let logged = log.lines().filter(|line| line.contains("INFO") && line.contains("flood\\n")).count();
    let dropped: usize = log
        .lines()
        .filter_map(|line| line.split_once(" lines dropped")?.0.rsplit(' ').next()?.parse::<usize>().ok())
        .sum();
    println!("2,000 lines: {logged} logged, {dropped} dropped and counted");
    assert_eq!(logged + dropped, 2_000, "{log}");
    assert!(logged < 2_000, "{logged}");
    assert!(!log.lines().any(|line| line.trim_start().starts_with("2026-01-01")), "{log}");
    assert!(!log.contains("\u{1b}[2K") && !log.contains('\u{202e}'), "{log}");
}
