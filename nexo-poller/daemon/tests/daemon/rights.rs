//! What plugins are given of what their manifests ask for, as operators see it.

use std::time::Duration;

use fixtures::{built, hostile_topics};
use nexo_poller::broker::{Broker as _, NatsBroker, NatsOptions};
use nexo_poller::contract::Pattern;
use nexo_poller::manifest::{Manifest, PluginGrants, PluginRights};

use nexo_poller_testkit::NatsServer;

use crate::home::Home;

fn manifest(id: &str, kind: &str, prefix: &str, publish: &str) -> String {
    format!(
        "manifest_version = 2\n[plugin]\nid = '{id}'\nversion = '0.1.0'\nname = 'A'\n[plugin.entrypoint]\ncommand = 'true'\n\
         [plugin.capabilities.broker]\nsubscribe = ['{prefix}.tick', '_inbox.>', 'news.feeds.a', 'plugin.outbound.>']\n\
         publish = ['daemon.rpc.{id}', '_inbox.>', {publish}]\n[plugin.poller]\nkinds = ['{kind}']\n\
         broker_topic_prefix = '{prefix}'\n"
    )
}

/// A home with these plugins and settings, and no jobs.
fn home(plugins: &[(&str, String)], settings: &str) -> Home {
    let home = Home::with_jobs(&[]);
    for (id, text) in plugins {
        home.write(&format!("plugins/{id}/nexo-plugin.toml"), text);
    }
    home.write("pollers.yaml", &format!("pollers:\n  plugins: plugins\n{settings}  jobs: []\n"));
    home
}

#[test]
fn plugins_whose_topics_overlap_fail_check_and_boot_with_both_names() {
    let jira = manifest("jira", "jira", "plugin.poller.jira", "'plugin.outbound.>'");
    for prefix in ["plugin.poller.jira", "plugin.poller.jira.tick", "plugin.poller"] {
        let evil = manifest("evil", "evil", prefix, "'plugin.outbound.>'");
        let home = home(&[("jira", jira.clone()), ("evil", evil)], "");
        for said in [home.run(&["check"]), home.fail_to_boot()] {
            assert_eq!(said.code, Some(3), "{said:?}");
            let text = said.stdout + &said.stderr;
            assert!(
                text.contains("`jira`") && text.contains("`evil`") && text.contains("broker_topic_prefix"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_manifest_that_can_only_be_an_attack_is_refused_by_check() {
    for (prefix, publish, why) in [
        ("daemon.rpc", "'plugin.outbound.>'", "must not lie among the protocol's own topics"),
        ("$SYS", "'plugin.outbound.>'", "must not lie among the protocol's own topics"),
        ("plugin.poller.evil", "'$KV.>'", "NATS server's own"),
        ("plugin.poller.evil", "'daemon.rpc.jira'", "the calls of another plugin"),
        ("plugin.poller.evil", "'daemon.members.*'", "what daemons say to each other"),
        ("plugin.poller.evil", "'plugin.outbound.a\", \"$KV.>'", "is not a topic pattern"),
        ("plugin.poller.evil", "\"plugin.outbound.\\u202E\"", "is not a topic pattern"),
    ] {
        let home = home(&[("evil", manifest("evil", "evil", prefix, publish))], "");
        let said = home.run(&["check"]);
        assert!(said.code == Some(3) && said.stdout.contains(why), "{publish}: {said:?}");
    }
}

#[test]
fn what_a_manifest_asks_for_in_vain_is_a_warning_until_the_operator_allows_it() {
    let reader = manifest("reader", "reader", "plugin.poller.reader", "'news.items.>', 'daemon.rpc.*'");
    let plugins = [("reader", reader)];
    let warned = home(&plugins, "").json(&["check"]);
    let warnings = warned["warnings"].to_string();
    assert_eq!(warned["problems"], serde_json::json!([]), "{warned}");
    for wish in [
        "asks to publish `news.items.>` and may publish nothing of it",
        "asks to publish `daemon.rpc.*` and may publish only `daemon.rpc.reader`",
        "asks to subscribe `news.feeds.a` and may subscribe nothing of it",
        "asks to subscribe `plugin.outbound.>` and may subscribe nothing of it",
    ] {
        assert!(warnings.contains(wish), "{wish}: {warnings}");
    }
    assert!(!warnings.contains("_inbox"), "everybody has an inbox: {warnings}");
    let allowed = "  allow: { reader: { publish: [ 'news.>' ], subscribe: [ 'news.feeds.*', 'plugin.outbound.a.>' ] }, raeder: {} }\n";
    let warnings = home(&plugins, allowed).json(&["check"])["warnings"].to_string();
    assert!(!warnings.contains("news.") && warnings.contains("may subscribe only `plugin.outbound.a.>`"), "{warnings}");
    assert!(warnings.contains("`allow`: there is no plugin `raeder`"), "{warnings}");
}

#[test]
fn nobody_can_allow_what_is_the_protocols_own_or_anothers_ticks() {
    for pattern in [">", "daemon.rpc.jira", "daemon.>", "_inbox.>", "_INBOX.>", "$KV.>", "plugin.>", "acme.tick", "a b"]
    {
        let home = home(&[], &format!("  allow:\n    reader: {{ publish: [ '{pattern}' ] }}\n"));
        let said = home.run(&["check"]);
        assert!(said.code == Some(3) && said.stdout.contains("pollers.yaml:4:"), "{pattern}: {said:?}");
    }
    let plugins = [
        ("reader", manifest("reader", "reader", "plugin.poller.reader", "'news.*'")),
        ("jira", manifest("jira", "jira", "news", "'plugin.outbound.>'")),
    ];
    for (pattern, ticks) in [("news.*", "news.tick"), ("news.*.*", "news.tick.cancel")] {
        let allow = format!("  allow: {{ reader: {{ publish: [ '{pattern}' ] }} }}\n");
        let said = home(&plugins, &allow).run(&["check"]);
        let why = format!("`{ticks}`, where plugin `jira` gets its ticks");
        assert!(said.code == Some(3) && said.stdout.contains(&why), "{said:?}");
    }
}

#[test]
fn a_job_whose_messages_could_go_nowhere_is_found_by_check() {
    let long = "x".repeat(1000);
    for channel in ["a\\0b", "a\\u202Eb", "a\\u200Bb", "a\\nb", &long] {
        let job = |rest: String| format!("id: bad, kind: webhook_poll, schedule: {{ every: 1h }}, {rest}");
        let deliver = format!("{{ channel: \"{channel}\", to: ops }}");
        let config = format!("url: \"https://example.com\", message_template: \"x\", deliver: {deliver}");
        let good = "url: \"https://example.com\", message_template: \"x\", deliver: { channel: console, to: ops }";
        for (job, why) in [
            (job(format!("config: {{ {config} }}")), "is not a topic"),
            (job(format!("config: {{ {good} }}, failure_to: {deliver}")), "`channel` is "),
        ] {
            let said = Home::with_jobs(&[&job]).run(&["check"]);
            assert!(said.code == Some(3) && said.stdout.contains(why), "{channel}: {said:?}");
            assert!(!said.stdout.contains('\0') && !said.stdout.contains('\u{202e}'), "{said:?}");
        }
    }
}

#[test]
fn the_printed_users_of_the_server_have_the_rights_of_their_plugins_and_no_more() {
    let home = Home::with_jobs(&[]);
    home.write(
        "manifests/reader.toml",
        &manifest("reader", "reader", "plugin.poller.reader", "'>', 'daemon.>', 'news.items.a'"),
    );
    home.write(
        "pollers.yaml",
        "pollers:\n  broker: { url: \"nats://127.0.0.1:4222\", plugins: [ manifests ] }\n  \
         allow: { reader: { publish: [ 'news.items.*' ], subscribe: [ 'news.feeds.*' ] } }\n  jobs: []\n",
    );
    let said = home.run(&["nats-permissions"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let reader = said.stdout.split("user: \"reader\"").nth(1).unwrap();
    let list = |name: &str| {
        reader.split(&format!("{name}: {{ allow: [")).nth(1).unwrap().split("] }").next().unwrap().to_owned()
    };
    // Asked for everything, it is given everything that was allowed.
    let publish = r#""_inbox.reader.>", "daemon.rpc.reader", "news.items.*", "plugin.outbound.>""#;
    assert_eq!(list("publish"), publish);
    let subscribe =
        r#""plugin.poller.reader.tick reader", "plugin.poller.reader.tick.cancel", "news.feeds.a", "_inbox.reader.>""#;
    assert_eq!(list("subscribe"), subscribe);
}

#[test]
fn the_table_of_the_security_page_is_what_the_code_does() {
    let page = include_str!("../../../../docs/security.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| !line.starts_with("| topic | publish | hear |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 9);
    let everything: Vec<Pattern> = ["news.>", "plugin.outbound.>"].map(|text| text.parse().unwrap()).into();
    let rights = |asks: bool, allowed: bool| {
        let mut manifest = Manifest::parse(&manifest("jira", "jira", "plugin.poller.jira", ""), "test").unwrap();
        let wishes = if asks { vec![">".to_owned()] } else { Vec::new() };
        let broker = &mut manifest.plugin.capabilities.broker;
        (broker.publish, broker.subscribe) = (wishes.clone(), wishes);
        let all = if allowed { everything.clone() } else { Vec::new() };
        PluginRights::of(&manifest.plugin, &PluginGrants::new(all.clone(), all))
    };
    for row in rows {
        let topic = row[0].split('`').nth(1).unwrap();
        for (asks, allowed) in [(false, false), (true, false), (false, true), (true, true)] {
            let rights = rights(asks, allowed);
            let expected = |cell: &str| match cell {
                "yes" => true,
                "no" => false,
                "if its manifest asks" => asks,
                "if its manifest asks and you allow" => asks && allowed,
                other => panic!("{other}: a test does not know what this means"),
            };
            assert_eq!(
                rights.may_publish(topic),
                expected(row[1]),
                "publish on {topic}: asked {asks}, allowed {allowed}"
            );
            assert_eq!(rights.may_hear(topic), expected(row[2]), "hear {topic}: asked {asks}, allowed {allowed}");
        }
    }
}

#[tokio::test]
async fn a_hostile_plugin_of_a_daemon_on_nats_does_not_reach_the_server_with_the_daemons_rights() {
    let server = NatsServer::start().unwrap();
    let home = Home::with_jobs(&[]);
    let text = manifest("hostile", "hostile", "plugin.poller.hostile", "'>', 'daemon.>'");
    let program = built("fixture_hostile");
    let text = text.replace("'news.feeds.a'", "'>', 'daemon.>'");
    home.write("hostile/nexo-plugin.toml", &text.replace("'true'", &format!("'{}'", program.display())));
    let report = home.path().join("report.json");
    let config = format!(
        "report: '{}', victim: {{ plugin: chatty, job: bobs, agent: bob, channel: console }}",
        report.display()
    );
    home.write(
        "pollers.yaml",
        &format!(
            "pollers:\n  admin: {{ bind: \"127.0.0.1:0\" }}\n  plugins: [ hostile ]\n  broker: \"{}\"\n  jobs:\n    \
             - {{ id: anas, agent: ana, kind: hostile, schedule: {{ every: 1h }}, config: {{ {config} }} }}\n",
            server.url()
        ),
    );
    let daemon = home.boot();
    let outside = NatsBroker::connect(NatsOptions::new(&server.url()).unwrap().with_name("outside")).await.unwrap();
    let mut heard = outside.subscribe(">", None).await.unwrap();
    let said = home.run(&["run", "anas"]);
    assert_eq!(said.code, Some(5), "a tick whose messages were refused has failed: {said:?}");
    let mut forged = Vec::new();
    let mut last = None;
    while last.as_deref() != Some("plugin.outbound.test.source") {
        let delivery = tokio::time::timeout(Duration::from_secs(30), heard.next()).await.unwrap().unwrap();
        if delivery.event.payload["forged"] == true {
            forged.push(delivery.event.topic.clone());
        }
        last = Some(delivery.event.topic.clone());
    }
    let tried = hostile_topics("hostile", "chatty").len();
    println!("through the daemon to nats: hostile topics tried {tried}, passed {}", forged.len());
    assert!(forged.is_empty(), "{forged:?}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["heard"], serde_json::json!([]));
    assert!(!report["answers"].as_array().unwrap().is_empty());
    daemon.stop();
}
