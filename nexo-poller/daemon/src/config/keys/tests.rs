use std::path::Path;
use std::time::Duration;

use nexo_poller::runner::RunnerOptions;
use nexo_poller::store::JetStreamOptions;
use serde_json::Value;

use super::{Entry, admin, allow, broker, include, job, plugin, schedule, settings};
use crate::config::PollersFile;

const EXAMPLE: &str = include_str!("../../../../../docs/pollers.example.yaml");

/// The example with the keys in force that it shows behind a `#`.
fn uncommented() -> String {
    let is_key = |text: &str| {
        let name = text.trim_start().split(':').next().unwrap_or_default();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let line = |line: &str| match line.trim_start().strip_prefix("# ") {
        Some(rest) if is_key(rest) => line.replacen("# ", "", 1),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What the example's comments say, as one line.
fn comments() -> String {
    let comment = |line: &str| line.split_once("# ").map(|(_, said)| said.to_owned());
    let said: Vec<String> = uncommented().lines().filter_map(comment).collect();
    said.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every value of `key` in the mappings `from`, and what is missing where the example lacks it.
fn look(path: &str, keys: &[&dyn Entry], from: &[&Value], missing: &mut Vec<String>) {
    let comments = comments();
    for key in keys {
        let (name, path) = (key.name(), format!("{path}.{}", key.name()));
        let values: Vec<&Value> = from.iter().filter_map(|mapping| mapping.get(name)).collect();
        if values.is_empty() {
            missing.push(format!("{path} is not there"));
        }
        if !comments.contains(key.says()) {
            missing.push(format!("{path} is not described by: {}", key.says()));
        }
        if let Some(default) = key.shape().default() {
            let shown = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            let same = |value: &&Value| match (value.as_f64(), value.as_str()) {
                (Some(number), _) => default.as_f64() == Some(number),
                (_, Some(text)) => text.strip_prefix("./").unwrap_or(text) == shown,
                _ => **value == default,
            };
            if !values.iter().all(same) && !comments.contains(&format!("(default: {shown})")) {
                missing.push(format!("{path} does not say its default: {shown}"));
            }
        }
    }
}

#[test]
fn the_example_shows_every_key_with_its_default_and_its_sentence() {
    let text = uncommented();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("jobs.d")).unwrap();
    let file = PollersFile::parse(&text, &home.path().join("pollers.yaml"));
    let file = file.unwrap_or_else(|refused| panic!("{refused}"));
    assert!(file.problems.is_empty(), "{:?}", file.problems);
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    let pollers = &value["pollers"];
    let jobs: Vec<&Value> = pollers["jobs"].as_array().unwrap().iter().collect();
    let schedules: Vec<&Value> = jobs.iter().map(|job| &job["schedule"]).collect();
    let mut missing = Vec::new();
    look("pollers", settings::KEYS, &[pollers], &mut missing);
    look("include", include::KEYS, &[&pollers["include"]], &mut missing);
    look("allow", allow::KEYS, &[&pollers["allow"]["news_reader"]], &mut missing);
    look("plugins", plugin::KEYS, &[&pollers["plugins"][0]], &mut missing);
    look("broker", broker::KEYS, &[&pollers["broker"]], &mut missing);
    look("broker.state", broker::STATE_KEYS, &[&pollers["broker"]["state"]], &mut missing);
    look("admin", admin::KEYS, &[&pollers["admin"]], &mut missing);
    look("admin.tls", admin::TLS_KEYS, &[&pollers["admin"]["tls"]], &mut missing);
    look("job", job::KEYS, &jobs, &mut missing);
    look("job.failure_to", job::FAILURE_TO_KEYS, &[&jobs[0]["failure_to"]], &mut missing);
    for form in &schedule::FORMS {
        look("schedule", &[form.needs], &schedules, &mut missing);
        look("schedule", form.takes, &schedules, &mut missing);
    }
    assert!(missing.is_empty(), "docs/pollers.example.yaml:\n{}", missing.join("\n"));
}

#[test]
fn what_the_file_means_by_saying_nothing_is_what_the_library_does_by_itself() {
    let runner = RunnerOptions::default();
    assert_eq!(Duration::from_millis(settings::DEFAULT_JITTER_MS.default()), runner.default_jitter);
    assert_eq!(settings::LEASE_TTL_FACTOR.default().to_bits(), runner.lease_ttl_factor.to_bits());
    let cooldown = Duration::from_secs(settings::FAILURE_ALERT_COOLDOWN_SECS.default());
    assert_eq!(cooldown, runner.failure_alert_cooldown);
    assert_eq!(settings::BREAKER_THRESHOLD.default(), runner.breaker_threshold);
    assert_eq!(job::CATCH_UP.shape.default().1, nexo_poller::runner::CatchUp::default());
    let bucket = JetStreamOptions::default();
    assert_eq!(broker::HISTORY.default(), bucket.history);
    assert_eq!(usize::from(broker::REPLICAS.default()), bucket.replicas);
}

#[test]
fn the_readers_take_every_key_of_the_table_and_no_other() {
    let names = |keys: &[&dyn Entry]| keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ");
    // The error for an unknown key lists the known ones, in the order in which they were looked for.
    for (text, known) in [
        ("pollers: { qqqqqqqq: 1 }", names(settings::KEYS)),
        ("pollers: { admin: { qqqqqqqq: 1 } }", names(admin::KEYS)),
        ("pollers: { admin: { tls: { qqqqqqqq: 1 } } }", names(admin::TLS_KEYS)),
        ("pollers: { allow: { x: { qqqqqqqq: 1 } } }", names(allow::KEYS)),
        ("pollers: { plugins: [ { qqqqqqqq: 1 } ] }", names(plugin::KEYS)),
        ("pollers: { broker: { qqqqqqqq: 1 } }", names(broker::KEYS)),
        ("pollers: { broker: { state: { qqqqqqqq: 1 } } }", names(broker::STATE_KEYS)),
        ("pollers: { include: { qqqqqqqq: 1 } }", names(include::KEYS)),
        ("pollers: { jobs: [ { qqqqqqqq: 1 } ] }", names(job::KEYS)),
        ("pollers: { jobs: [ { failure_to: { qqqqqqqq: 1 } } ] }", names(job::FAILURE_TO_KEYS)),
        (
            "pollers: { jobs: [ { schedule: { qqqqqqqq: 1 } } ] }",
            "every_secs, every, cron, tz, at, stagger_jitter_ms".to_owned(),
        ),
    ] {
        let problems = match PollersFile::parse(text, Path::new("pollers.yaml")) {
            Ok(file) => file.problems,
            Err(refused) => refused.problems,
        };
        let lists: Vec<&str> = problems
            .iter()
            .filter_map(|problem| problem.message.split_once("known are "))
            .map(|(_, list)| list)
            .collect();
        assert_eq!(lists, [known], "{text}");
    }
}

#[test]
fn a_pattern_for_editors_refuses_what_the_reader_refuses() {
    for (key, texts) in [
        (&job::ID, ["ana_jira", "a b", "a\tb", "é-1", "x\n"]),
        (&broker::BUCKET, ["pollers", "a b", "a.b", "é", "A_1-"]),
    ] {
        let validator = jsonschema::validator_for(&key.schema()).unwrap();
        for text in texts {
            assert_eq!(validator.is_valid(&Value::from(text)), key.takes(text), "{}: {text:?}", key.name);
        }
    }
}
