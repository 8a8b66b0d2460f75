use std::path::Path;

use crate::config::{PollersFile, ScheduleEntry};

const PATH: &str = "pollers.yaml";

fn problems(text: &str) -> String {
    match PollersFile::parse(text, Path::new(PATH)) {
        Ok(file) => file.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(refused) => format!("REFUSED\n{refused}"),
    }
}

/// A file with one good job and one whose lines, from line 4 on, are `job`.
fn with_job(job: &str) -> String {
    let lines: String = job.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "pollers:\n  jobs:\n    - {{id: good, kind: rss, agent: ana, schedule: {{every_secs: 60}}}}\n    -\n{lines}"
    )
}

#[test]
fn a_full_file_is_read_and_its_paths_are_relative_to_it() {
    let text = include_str!("../../../../docs/pollers.example.yaml");
    let file = PollersFile::parse(text, Path::new("/etc/nexo/pollers.yaml")).expect("the example loads");
    assert!(file.problems.is_empty(), "{:?}", file.problems);
    assert_eq!(file.settings.state_db, Path::new("/etc/nexo/data/poller.db"));
    let [plugins] = &file.settings.plugins[..] else { panic!("{:?}", file.settings.plugins) };
    assert_eq!(plugins.path, Path::new("/etc/nexo/plugins"));
    assert_eq!(file.jobs.len(), file.found);
    assert!(file.jobs.iter().any(|job| matches!(job.schedule, ScheduleEntry::Cron { .. })));
}

#[test]
fn an_empty_jobs_list_is_a_daemon_that_waits() {
    let file = PollersFile::parse("pollers:\n  jobs:\n", Path::new(PATH)).expect("loads");
    assert_eq!((file.jobs.len(), file.found), (0, 0));
    assert_eq!(file.settings, crate::config::Settings::defaults(Path::new("")));
}

#[test]
fn what_is_wrong_outside_the_jobs_refuses_the_file_with_every_problem() {
    let text = "pollers:\n  breaker_treshold: 5\n  enabled: no\n  plugins: 7\n  jobs:\n    - {id: a}\n";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn each_bad_file_says_where_and_what_was_expected() {
    let mut report = String::new();
    for text in [
        "",
        "jobs: []\n",
        "- a\n",
        "pollers:\n  jobs: [\n",
        "pollers:\n  jobs: {}\n",
        "pollers:\n\tjobs: []\n",
        "pollers:\n  admin: { bind: everywhere }\n",
        "pollers:\n  admin: { bnid: 127.0.0.1:9091 }\n",
        "pollers:\n  lease_ttl_factor: 0.5\n  lease_ttl_factor: 3\n",
        "pollers:\n  state_db: *nowhere\n",
        "pollers: {}\n---\npollers: {}\n",
        "pollers:\n  token: \"hunter2hunter2\n",
    ] {
        report += &format!("--- {text:?}\n{}\n", problems(text));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_bad_job_is_left_out_with_its_place_and_its_siblings_load() {
    let mut report = String::new();
    for job in [
        "id: a\nkind: rss\nagent: ana\nschedul: { every_secs: 60 }\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every_secs: soon }\n",
        "id: a\nkind: rss\nagent: ana\nschedule: 5m\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m, cron: \"* * * * *\" }\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m, tz: Europe/Berlin }\n",
        "id: a\nkind: RSS feed\nagent: ana\nschedule: { every: 5m }\n",
        "id: good\nkind: rss\nagent: ana\nschedule: { every: 5m }\n",
        "kind: rss\nagent: ana\nschedule: { every: 5m }\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m }\nconfig: hunter2\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m }\nconfig:\n  token: hunter2\n  token: hunter3\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m }\nfailure_to: { chanel: telegram, to: 7 }\n",
        "id: a\nkind: rss\nagent: ana\nschedule: { every: 5m }\ncatch_up: ones\npaused_on_boot: yes\n",
    ] {
        let text = with_job(job);
        let file = PollersFile::parse(&text, Path::new(PATH)).expect("the file as a whole is fine");
        assert_eq!(file.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["good"], "{job}");
        assert_eq!(file.found, 2);
        report += &format!("--- {job}{}\n", problems(&text));
    }
    assert!(!report.split("---").any(|part| {
        let (_, said) = part.split_once("pollers.yaml").unwrap_or_default();
        said.contains("hunter")
    }));
    insta::assert_snapshot!(report);
}

#[test]
fn names_that_cannot_be_seen_as_what_they_are_are_refused_and_nothing_of_them_reaches_a_terminal() {
    for (job, wrong) in [
        (
            r#"{id: a, kind: rss, agent: "ana\0", schedule: {every: 5m}}"#,
            "`agent` is not a valid name: a name has 1 to 200",
        ),
        (
            r#"{id: a, kind: rss, agent: "a\u202Eb", schedule: {every: 5m}}"#,
            "`agent` is not a valid name: a name has 1 to 200",
        ),
        (
            r#"{id: a, kind: rss, agent: "a\nERROR b", schedule: {every: 5m}}"#,
            "`agent` is not a valid name: a name has 1 to 200",
        ),
        (
            r#"{id: a, kind: rss, agent: a, schedule: {every: 5m}, failure_to: {channel: "\e[2J", to: b}}"#,
            "`channel` is not a valid name",
        ),
        (r#"{id: "a\e[2J\nb", kind: rss, agent: a, schedule: {every: 5m}}"#, "`id` must have"),
        (r#"{id: a, kind: "r\e[2Jss", agent: a, schedule: {every: 5m}}"#, "kind"),
        (r#"{id: a, kind: rss, agent: a, schedule: {every: 5m}, "x\e[2J\ny": 1}"#, "unknown key"),
    ] {
        let said = problems(&format!("pollers:\n  jobs:\n    - {job}\n"));
        assert!(said.contains(wrong), "{job}: {said}");
        assert!(!said.contains(['\0', '\u{1b}', '\u{202e}']) && said.lines().count() == 3, "{job}: {said:?}");
    }
}

#[test]
fn words_that_yaml_1_1_read_as_booleans_and_numbers_stay_words() {
    let text = with_job(
        "id: n\nkind: rss\nagent: ana\nschedule: { every: 5m }\nconfig: { n: no, y: on, zip: 01234, port: 80, ok: true }\n",
    );
    let file = PollersFile::parse(&text, Path::new(PATH)).expect("loads");
    let expected = serde_json::json!({"n": "no", "y": "on", "zip": "01234", "port": 80, "ok": true});
    assert_eq!(file.jobs[1].config, expected);
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    let text = format!("pollers: {}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(problems(&text).starts_with("REFUSED"));
}

#[test]
fn debug_output_of_a_job_shows_no_config() {
    let text = with_job("id: n\nkind: rss\nagent: ana\nschedule: { every: 5m }\nconfig: { token: hunter2 }\n");
    let file = PollersFile::parse(&text, Path::new(PATH)).expect("loads");
    assert!(!format!("{file:?}").contains("hunter2"));
}

#[test]
fn the_schema_is_made_of_the_table_and_of_what_the_kinds_say() {
    let kinds = [("rss".to_owned(), serde_json::json!({"$schema": "x", "type": "object", "required": ["feed_url"]}))];
    let schema = crate::config::schema::of_file(&kinds.into_iter().collect());
    insta::assert_snapshot!(serde_json::to_string_pretty(&in_order(schema)).unwrap());
}

/// The same with its keys in alphabetical order, whatever else is built beside this.
fn in_order(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let sorted: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
            sorted.into_iter().map(|(key, value)| (key, in_order(value))).collect()
        }
        serde_json::Value::Array(items) => items.into_iter().map(in_order).collect(),
        other => other,
    }
}
