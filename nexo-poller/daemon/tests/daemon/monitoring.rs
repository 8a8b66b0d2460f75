//! The dashboard and the alert rules for other people's Grafana and Prometheus use what a real daemon exports, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use nexo_poller_testkit::NatsServer;
use serde_json::Value;

use crate::home::Home;
use crate::systemd::contrib;

/// Labels that Prometheus itself adds, and those of its own series.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// What a daemon says after a tick: one that shares its jobs has all series that there are.
fn shared_daemon_says() -> String {
    let server = NatsServer::start().unwrap();
    let home = Home::with_jobs(&[]);
    let broker = format!("  broker: {{ url: \"{}\", state: {{ bucket: jobs }} }}\n", server.url());
    home.jobs(&broker, &["id: one, kind: chatty, schedule: { every: 1h }, config: { do: count }"]);
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "one"]).code, Some(0));
    let (status, text) = daemon.get("/metrics");
    assert_eq!(status, 200);
    daemon.stop();
    text
}

/// The names and labels of it.
fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let text = shared_daemon_says();
    let mut names = BTreeMap::<String, BTreeSet<String>>::from([("up".to_owned(), BTreeSet::new())]);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
        names.entry(name.to_owned()).or_default().extend(labels.map(|(label, _)| label.to_owned()));
    }
    names
}

/// A query as words, with what stands in quotes left out: `a{b="c"}` is `a`, `{`, `b`, `=`, `}`.
fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    let mut open = false;
    for c in query.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if quoted || c == '"' {
            open = false;
            continue;
        }
        if c.is_ascii_alphanumeric() || "_:$".contains(c) {
            if !open {
                words.push(String::new());
            }
            words.last_mut().unwrap().push(c);
            open = true;
        } else {
            open = false;
            if !c.is_whitespace() {
                words.push(c.to_string());
            }
        }
    }
    words
}

/// Everything in `query` that `known` does not have.
fn unknown(query: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let words = words(query);
    let is_series = |word: &str| word.starts_with("poller_") || word == "up";
    let used: Vec<&String> = words.iter().filter(|word| is_series(word)).collect();
    let mut wrong: Vec<String> =
        used.iter().filter(|name| !known.contains_key(**name)).map(|name| format!("series {name}")).collect();
    if used.is_empty() {
        wrong.push("no series at all".to_owned());
    }
    let has = |names: &[&String], label: &str| {
        OF_PROMETHEUS.contains(&label)
            || names.iter().any(|name| known.get(*name).is_some_and(|labels| labels.contains(label)))
    };
    let mut at = 0;
    while at < words.len() {
        let after = words.get(at + 1).map(String::as_str);
        // `name{label=…, label=…}`, `by (label, label)`, `label_values(name, label)`
        let (names, end) = if is_series(&words[at]) && after == Some("{") {
            (vec![&words[at]], "}")
        } else if ["by", "on", "without", "ignoring"].contains(&words[at].as_str()) && after == Some("(") {
            (used.clone(), ")")
        } else if is_series(&words[at]) && after == Some(",") {
            (vec![&words[at]], ")")
        } else {
            at += 1;
            continue;
        };
        at += 1;
        while words[at] != end {
            let label = &words[at];
            if label.starts_with(|c: char| c.is_ascii_alphabetic()) && !has(&names, label) {
                wrong.push(format!("label {label} of {names:?}"));
            }
            at += 1;
        }
    }
    wrong
}

#[test]
fn the_reader_of_queries_finds_what_is_not_there() {
    let labels = |labels: &[&str]| labels.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let known = BTreeMap::from([
        ("poller_a".to_owned(), labels(&["kind"])),
        ("poller_b_bucket".to_owned(), labels(&["le", "kind"])),
    ]);
    for good in [
        "poller_a{kind=~\"$kind\", instance=\"x\"} > 0",
        "sum by (kind, le) (rate(poller_b_bucket[10m]))",
        "label_values(poller_a, kind)",
        "poller_a unless on (instance, kind) (poller_a == 1)",
    ] {
        assert_eq!(unknown(good, &known), [""; 0], "{good}");
    }
    for bad in [
        "poller_c",
        "poller_a_total",
        "1 + 1",
        "poller_a{knd=\"x\"}",
        "sum by (le) (poller_a)",
        "label_values(poller_a, job_id)",
    ] {
        assert_ne!(unknown(bad, &known), [""; 0], "{bad}");
    }
}

/// Every value of a key of these names, anywhere in `value`.
fn values_of<'v>(value: &'v Value, keys: &[&str], found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value {
            Value::String(text) if keys.contains(&key.as_str()) => found.push(text),
            other => values_of(other, keys, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| values_of(item, keys, found)),
        _ => {}
    }
}

/// The labels that a text takes in by `{{ … }}`.
fn taken_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
        .map(|inside| inside.trim().trim_start_matches("$labels.").split(' ').next().unwrap_or_default())
}

#[test]
fn the_dashboard_and_the_alerts_use_what_the_daemon_exports() {
    let known = exported();
    let all_labels: BTreeSet<&str> =
        known.values().flatten().map(String::as_str).chain(OF_PROMETHEUS).chain(["$value"]).collect();
    let dashboard: Value = serde_json::from_str(&contrib("grafana/dashboard.json")).unwrap();
    let (mut queries, mut texts) = (Vec::new(), Vec::new());
    values_of(&dashboard["panels"], &["expr"], &mut queries);
    values_of(&dashboard["panels"], &["legendFormat"], &mut texts);
    values_of(&dashboard["templating"], &["definition"], &mut queries);
    assert!(queries.len() > 15, "{queries:?}");
    let alerts = contrib("prometheus/alerts.yml");
    let of_alerts = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let before = queries.len();
    queries.extend(of_alerts);
    assert_eq!(queries.len() - before, alerts.matches("- alert: ").count(), "one line each");
    texts.extend(alerts.lines().filter(|line| !line.trim().starts_with('#')));
    let wrong: Vec<String> = queries
        .iter()
        .flat_map(|query| unknown(query, &known).into_iter().map(move |what| format!("{what} in {query}")))
        .chain(texts.iter().flat_map(|text| {
            taken_in(text).filter(|label| !all_labels.contains(label)).map(move |label| format!("{label} in {text}"))
        }))
        .collect();
    assert!(wrong.is_empty(), "the daemon exports no such thing:\n{}\nbut:\n{known:#?}", wrong.join("\n"));
}

/// The table of the guide has every series, under the name that a query uses.
#[test]
fn the_guide_lists_what_the_daemon_exports() {
    let text = shared_daemon_says();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let exported: BTreeSet<String> =
        types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect();
    let guide = contrib("../docs/operate.md");
    let listed = guide.lines().filter_map(|line| line.strip_prefix("| `poller_")?.split('`').next());
    let listed: BTreeSet<String> = listed.map(|name| format!("poller_{name}")).collect();
    assert_eq!(listed, exported);
}
