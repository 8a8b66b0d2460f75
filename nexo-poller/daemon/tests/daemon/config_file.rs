//! `pollers.yaml` helps whoever writes it: a schema for editors, every problem at its place, more files.

use serde_json::{Value, json};

use crate::home::Home;

const HOURLY: &str = "kind: chatty, schedule: { every: 1h }";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_schema_knows_the_config_of_every_kind_and_takes_what_the_daemon_takes() {
    let home = Home::with_jobs(&[]);
    let schema = home.json(&["schema"]);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let file = |job: &str| yaml(&format!("pollers:\n  jobs:\n    - {{ id: a, agent: ana, {job} }}\n"));
    for good in [
        HOURLY,
        "kind: chatty, schedule: { cron: '0 30 9 * * Mon-Fri', tz: America/Bogota, stagger_jitter_ms: 5 }, config: { do: publish }",
        "kind: chatty, schedule: { at: '2026-04-26T15:00:00Z' }, catch_up: skip, paused_on_boot: true, failure_to: { channel: a, to: b }",
        "kind: webhook_poll, schedule: { every_secs: 60 }, config: { url: 'https://example.org', message_template: x, deliver: { channel: a, to: b } }",
        "kind: agent_turn, schedule: { every: 1d }, config: { llm: { provider: a, model: b }, user_prompt: x, deliver: { channel: a, to: b } }",
    ] {
        let errors: Vec<String> = validator.iter_errors(&file(good)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{good}: {errors:?}");
    }
    for bad in [
        "kind: nobody, schedule: { every: 1h }",
        "kind: chatty, schedule: { every: 1h }, config: { do: fly }",
        "kind: chatty, schedule: { every: 1h }, config: { dooo: publish }",
        "kind: chatty, schedule: { every: 1h, cron: '* * * * *' }",
        "kind: chatty, schedule: { every_secs: 0 }",
        "kind: chatty, schedule: { every: 1h }, catch_up: never",
        "kind: chatty, schedule: { every: 1h }, colour: red",
        "kind: webhook_poll, schedule: { every: 1h }, config: { url: 'https://example.org', message_template: x }",
    ] {
        assert!(!validator.is_valid(&file(bad)), "{bad}");
    }
}

#[test]
fn the_schema_and_the_daemon_know_the_same_keys_and_the_example_fits() {
    let home = Home::with_jobs(&[]);
    let schema = home.json(&["schema"]);
    let keys = |properties: &Value| {
        let mut keys: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    // What the daemon knows, it says to whoever writes something else.
    let known = |text: &str| {
        home.write("odd.yaml", text);
        let said = home.run(&["-c", "odd.yaml", "check"]).stdout;
        let list =
            said.split("known are ").nth(1).unwrap_or_else(|| panic!("{said}")).lines().next().unwrap().to_owned();
        let mut keys: Vec<String> = list.split(", ").map(str::to_owned).collect();
        keys.sort();
        keys
    };
    let pollers = &schema["properties"]["pollers"]["properties"];
    assert_eq!(keys(pollers), known("pollers: { qqqqqqqq: 1 }\n"));
    assert_eq!(keys(&pollers["admin"]["properties"]), known("pollers: { admin: { qqqqqqqq: 1 } }\n"));
    let broker = &pollers["broker"]["anyOf"][1]["properties"];
    assert_eq!(keys(broker), known("pollers: { broker: { url: x, qqqqqqqq: 1 } }\n"));
    assert_eq!(keys(&schema["$defs"]["job"]["properties"]), known("pollers: { jobs: [ { qqqqqqqq: 1 } ] }\n"));

    let mut example = yaml(include_str!("../../../../docs/pollers.example.yaml"));
    // Its plugins are not here, so their kinds are not known.
    let jobs = example["pollers"]["jobs"].as_array_mut().unwrap();
    jobs.iter_mut().for_each(|job| {
        if job["kind"] != "agent_turn" {
            job["kind"] = json!("chatty");
            job["config"] = json!({});
        }
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_refused_config_is_pointed_at_where_its_key_stands() {
    let home = Home::with_jobs(&[]);
    home.jobs("", &["id: a, kind: webhook_poll, schedule: { every: 1h },\n        config: {\n          url: 'https://example.org',\n          message_template: x,\n          max_per_tick: many,\n          deliver: { channel: console, to: ops } }"]);
    let said = home.run(&["check"]);
    assert!(
        said.stdout.contains("pollers.yaml:9:25: job `a`: kind `webhook_poll` refuses the config: `max_per_tick`"),
        "{said:?}"
    );
    assert!(said.stdout.contains("max_per_tick: …"), "{said:?}");
}

#[test]
fn check_finds_an_instant_that_has_passed_and_a_state_file_that_cannot_be_written() {
    let home = Home::with_jobs(&["id: late, kind: chatty, schedule: { at: '2020-01-01T00:00:00Z' }"]);
    let said = home.run(&["check"]);
    assert!(
        said.stdout.contains("warning: ") && said.stdout.contains("job `late`: its instant has passed"),
        "{said:?}"
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    home.write("file", "x");
    home.jobs("  state_db: file/poller.db\n", &[]);
    let said = home.run(&["check"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stdout.contains("`state_db`: ") && said.stdout.contains("is not a directory"), "{said:?}");
}

#[test]
fn jobs_of_included_files_run_and_their_problems_name_their_file() {
    let home = Home::with_jobs(&[]);
    let job = |id: &str, rest: &str| format!("    - {{ id: {id}, agent: ana, {rest} }}\n");
    home.write(
        "jobs.d/one.yaml",
        &format!("pollers:\n  jobs:\n{}{}", job("b", HOURLY), job("bad", "kind: nobody, schedule: { every: 1h }")),
    );
    home.write("jobs.d/two.yml", &format!("pollers:\n  jobs:\n{}{}", job("c", HOURLY), job("a", HOURLY)));
    home.write("jobs.d/notes.txt", "no YAML: [");
    home.jobs("  include: [ jobs.d ]\n", &[&format!("id: a, {HOURLY}")]);
    let daemon = home.boot();
    let listed = home.json(&["list"]);
    let ids: Vec<&Value> = listed["pollers"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let problems: Vec<&str> =
        listed["refused"].as_array().unwrap().iter().map(|refused| refused["problem"].as_str().unwrap()).collect();
    assert!(
        problems.iter().any(|problem| problem.contains("jobs.d/one.yaml:4:") && problem.contains("no plugin offers")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|problem| problem.contains("jobs.d/two.yml:4:")
            && problem.contains("taken by the job on line 6 of pollers.yaml")),
        "{problems:?}"
    );
    // A file more is there after a reload; one that is no YAML changes nothing.
    home.write("jobs.d/three.yaml", &format!("pollers:\n  jobs:\n{}", job("d", HOURLY)));
    assert!(home.json(&["reload"])["add"].as_array().unwrap().contains(&json!("d")));
    home.write("jobs.d/three.yaml", "pollers: { enabled: false }\n");
    let said = home.run(&["reload"]);
    assert!(
        said.stderr.contains("jobs.d/three.yaml:1:12") && said.stderr.contains("unknown key `enabled`"),
        "{said:?}"
    );
    assert_eq!(home.run(&["show", "d"]).code, Some(0));
    daemon.stop();
}
