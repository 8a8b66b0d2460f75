use super::{Declaration, DeclarationConflict, Lifecycle, Manifest, Package, PollerSection, manifest_of};

/// The example of the protocol.
const JIRA: &str = r#"
manifest_version = 2

[plugin]
id = "jira"
version = "0.1.0"
name = "Jira Poller"
description = "Announces issues updated in a Jira project."
min_nexo_version = ">=0.2.0"

[plugin.entrypoint]
command = "jira-poller"

[plugin.requires]
nexo_capabilities = ["broker"]

[plugin.capabilities.broker]
subscribe = ["plugin.poller.jira.tick", "_inbox.>"]
publish = ["daemon.rpc.jira", "plugin.outbound.>", "_inbox.>"]

[plugin.poller]
kinds = ["jira"]
broker_topic_prefix = "plugin.poller.jira"
lifecycle = "long_lived"
max_concurrent_ticks = 1
tick_timeout_secs = 60
"#;

fn with(line: &str, instead: &str) -> String {
    assert_eq!(JIRA.matches(line).count(), 1, "{line}");
    JIRA.replace(line, instead)
}

#[test]
fn the_example_of_the_protocol_is_a_manifest_and_survives_being_written() {
    let manifest = Manifest::parse(JIRA, "nexo-plugin.toml").unwrap();
    assert_eq!(Manifest::parse(&manifest.to_toml(), "written").unwrap(), manifest);
}

#[test]
fn every_rule_that_is_broken_is_told_with_its_file_and_key() {
    let table = [
        ("manifest_version = 2", "manifest_version = 3", "manifest_version", "must be 2, found 3"),
        ("id = \"jira\"", "id = \"Jira\"", "plugin.id", "found `Jira`"),
        ("id = \"jira\"", "id = \"\"", "plugin.id", "1 to 64"),
        (
            "id = \"jira\"",
            "id = \"a2345678901234567890123456789012345678901234567890123456789012345\"",
            "plugin.id",
            "1 to 64",
        ),
        ("version = \"0.1.0\"", "version = \"1\"", "plugin.version", "semver version"),
        ("\">=0.2.0\"", "\"newest\"", "plugin.min_nexo_version", "semver requirement"),
        ("name = \"Jira Poller\"", "name = \" \"", "plugin.name", "must not be empty"),
        ("command = \"jira-poller\"", "command = \"\"", "plugin.entrypoint.command", "must not be empty"),
        ("command = \"jira-poller\"", "command = \"./jira\"", "plugin.entrypoint.command", "absolute path"),
        ("command = \"jira-poller\"", "command = \"/opt/../tmp/jira\"", "plugin.entrypoint.command", "`..` in it"),
        ("command = \"jira-poller\"", "command = \"..\"", "plugin.entrypoint.command", "`..` in it"),
        (
            "command = \"jira-poller\"",
            "command = \"jira-poller\"\nenv = { NEXO_X = \"1\" }",
            "plugin.entrypoint.env.NEXO_X",
            "the daemon's own",
        ),
        ("\"daemon.rpc.jira\"", "\"daemon..jira\"", "plugin.capabilities.broker.publish[0]", "a segment is empty"),
        (
            "\"plugin.poller.jira.tick\"",
            "\"plugin.>.jira\"",
            "plugin.capabilities.broker.subscribe[0]",
            "only be the last segment",
        ),
        ("\"plugin.outbound.>\"", "\"$KV.>\"", "plugin.capabilities.broker.publish[1]", "the NATS server's own"),
        (
            "\"daemon.rpc.jira\"",
            "\"daemon.rpc.rss\"",
            "plugin.capabilities.broker.publish[0]",
            "calls of another plugin",
        ),
        (
            "prefix = \"plugin.poller.jira\"",
            "prefix = \"daemon.rpc\"",
            "plugin.poller.broker_topic_prefix",
            "protocol's own",
        ),
        (
            "prefix = \"plugin.poller.jira\"",
            "prefix = \"a\\u0000\"",
            "plugin.poller.broker_topic_prefix",
            "`a\\0.tick` is not a",
        ),
        ("kinds = [\"jira\"]", "kinds = []", "plugin.poller.kinds", "at least one kind"),
        ("kinds = [\"jira\"]", "kinds = [\"jira\", \"jira\"]", "plugin.poller.kinds[1]", "listed twice"),
        ("kinds = [\"jira\"]", "kinds = [\"j\"]", "plugin.poller.kinds[0]", "`j` is not a poller kind"),
        ("prefix = \"plugin.poller.jira\"", "prefix = \"\"", "plugin.poller.broker_topic_prefix", "must not be empty"),
        ("prefix = \"plugin.poller.jira\"", "prefix = \"a.\"", "plugin.poller.broker_topic_prefix", "end with a dot"),
        ("prefix = \"plugin.poller.jira\"", "prefix = \"a b\"", "plugin.poller.broker_topic_prefix", "spaces"),
        ("prefix = \"plugin.poller.jira\"", "prefix = \"a.*\"", "plugin.poller.broker_topic_prefix", "wildcards"),
        ("prefix = \"plugin.poller.jira\"", "prefix = \"a..b\"", "plugin.poller.broker_topic_prefix", "empty segment"),
        ("ticks = 1", "ticks = 0", "plugin.poller.max_concurrent_ticks", "1 to 64; found 0"),
        ("ticks = 1", "ticks = 65", "plugin.poller.max_concurrent_ticks", "1 to 64; found 65"),
        ("secs = 60", "secs = 0", "plugin.poller.tick_timeout_secs", "1 to 3600; found 0"),
        ("secs = 60", "secs = 3601", "plugin.poller.tick_timeout_secs", "1 to 3600; found 3601"),
        ("\"long_lived\"", "\"forever\"", "plugin.poller.lifecycle", "`forever`"),
        ("secs = 60", "secs = 60\nzebra = 1", "plugin.poller", "zebra"),
    ];
    for (line, instead, key, rule) in table {
        let error = Manifest::parse(&with(line, instead), "jira/nexo-plugin.toml").unwrap_err();
        assert_eq!(error.problems.len(), 1, "{instead}: {error}");
        let text = error.to_string();
        assert!(text.starts_with("jira/nexo-plugin.toml: "), "{text}");
        assert!(error.problems[0].key.starts_with(key) && error.problems[0].rule.contains(rule), "{instead}: {text}");
    }
}

#[test]
fn an_id_whose_topics_are_the_daemons_is_refused() {
    for id in ["daemon", "req"] {
        let error = Manifest::parse(&JIRA.replace("\"jira\"", &format!("\"{id}\"")).replace("rpc.jira", "rpc.*"), "a")
            .unwrap_err();
        assert!(error.to_string().contains(&format!("must not be `{id}`")), "{error}");
    }
}

#[test]
fn what_published_plugins_leave_out_is_no_fault_and_their_ids_may_be_long() {
    let long = "a234567890123456789012345678901234567890123456789012345678901234";
    let text = JIRA
        .replace("manifest_version = 2\n", "")
        .replace("[plugin.entrypoint]\ncommand = \"jira-poller\"\n", "")
        .replace("id = \"jira\"", &format!("id = \"{long}\""))
        .replace("daemon.rpc.jira", &format!("daemon.rpc.{long}"));
    let manifest = Manifest::parse(&text, "nexo-plugin.toml").unwrap();
    assert_eq!((manifest.manifest_version, manifest.plugin.id.as_str()), (2, long));
    assert!(manifest.plugin.entrypoint.is_absent());
    let written = manifest.to_toml();
    assert!(!written.contains("entrypoint"), "{written}");
    assert_eq!(Manifest::parse(&written, "written").unwrap(), manifest);
}

#[test]
fn a_poller_that_nobody_has_described_has_a_description_all_the_same() {
    for description in ["", " \n"] {
        let silent = Declaration::new("jira", Package::new("desk-poller", "1.2.3").description(description));
        for declarations in [vec![silent.description(description)], vec![silent, declared("rss").plugin_id("jira")]] {
            let plugin = manifest_of(&declarations).unwrap().plugin;
            assert_eq!(plugin.description, "Jira Poller", "published validators want one");
            assert!(plugin.min_nexo_version.is_some());
        }
    }
}

#[test]
fn all_broken_rules_are_told_at_once() {
    let text = with("ticks = 1", "ticks = 0")
        .replace("secs = 60", "secs = 0")
        .replace("version = \"0.1.0\"", "version = \"x\"");
    let error = Manifest::parse(&text, "nexo-plugin.toml").unwrap_err();
    let keys: Vec<_> = error.problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["plugin.version", "plugin.poller.max_concurrent_ticks", "plugin.poller.tick_timeout_secs"]);
    assert_eq!(error.to_string().lines().count(), 3);
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let error = Manifest::parse("manifest_version = 2\n[plugin\n", "nexo-plugin.toml").unwrap_err().to_string();
    assert!(error.starts_with("nexo-plugin.toml: line 2"), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_key_and_its_place() {
    let at = JIRA.lines().position(|line| line.starts_with("tick_timeout_secs")).unwrap() + 1;
    for (number, rule) in [("'soon'", "invalid type: string"), ("99999999999999999999", "the number is too large")] {
        let text = JIRA.replace("tick_timeout_secs = 60", &format!("tick_timeout_secs = {number}"));
        let error = Manifest::parse(&text, "nexo-plugin.toml").unwrap_err().to_string();
        assert!(error.contains(&format!("line {at}, column 21: ")) && error.contains(rule), "{error}");
    }
    let text = JIRA.replace("kinds = [", "kinds = [ 7,");
    let error = Manifest::parse(&text, "nexo-plugin.toml").unwrap_err();
    assert_eq!(error.problems[0].key, "plugin.poller.kinds[0]");
    assert!(error.problems[0].rule.contains("column 11: invalid type: integer `7`"), "{error}");
}

#[test]
fn tables_of_other_parts_of_a_daemon_are_ignored() {
    let text = format!("{JIRA}\n[plugin.channel]\nkind = \"telegram\"\n\n[plugin.http.admin]\nport = 1\n");
    assert_eq!(Manifest::parse(&text, "a").unwrap(), Manifest::parse(JIRA, "b").unwrap());
}

#[test]
fn what_is_left_out_has_the_default_of_the_protocol() {
    let text = JIRA.replace("lifecycle = \"long_lived\"\nmax_concurrent_ticks = 1\ntick_timeout_secs = 60\n", "");
    assert_ne!(text, JIRA);
    assert_eq!(Manifest::parse(&text, "a").unwrap(), Manifest::parse(JIRA, "b").unwrap());
}

const fn declared(kind: &'static str) -> Declaration {
    let package = Package::new("desk-poller", "1.2.3").description("Polls a desk.");
    Declaration::new(kind, package).description("Announces things.").publish(&["plugin.outbound.>"])
}

#[test]
fn one_declaration_makes_a_manifest_that_keeps_every_rule() {
    let manifest = manifest_of(&[declared("google_calendar")]).unwrap();
    manifest.check("made").unwrap();
    let plugin = manifest.plugin;
    assert_eq!((plugin.id.as_str(), plugin.name.as_str()), ("google_calendar", "Google Calendar Poller"));
    assert_eq!((plugin.version.as_str(), plugin.entrypoint.command.as_str()), ("1.2.3", "desk-poller"));
    assert_eq!(plugin.description, "Announces things.");
    let broker = plugin.capabilities.broker;
    assert_eq!(broker.subscribe, ["plugin.poller.google_calendar.tick", "_inbox.>"]);
    assert_eq!(broker.publish, ["daemon.rpc.google_calendar", "plugin.outbound.>", "_inbox.>"]);
}

#[test]
fn several_declarations_share_an_id_and_their_topics_and_the_largest_numbers() {
    let first = declared("jira").plugin_id("desk").max_concurrent_ticks(2).lifecycle(Lifecycle::Ephemeral);
    let second =
        declared("rss").publish(&["plugin.outbound.>", "news.*"]).tick_timeout_secs(90).lifecycle(Lifecycle::Ephemeral);
    let manifest = manifest_of(&[first, second]).unwrap();
    manifest.check("made").unwrap();
    let poller = manifest.plugin.poller.unwrap();
    assert_eq!(poller.kinds, ["jira", "rss"]);
    assert_eq!((poller.max_concurrent_ticks, poller.tick_timeout_secs), (2, 90));
    assert_eq!((poller.lifecycle, poller.broker_topic_prefix.as_str()), (Lifecycle::Ephemeral, "plugin.poller.desk"));
    assert_eq!((manifest.plugin.id.as_str(), manifest.plugin.description.as_str()), ("desk", "Polls a desk."));
    let publish = manifest.plugin.capabilities.broker.publish;
    assert_eq!(publish, ["daemon.rpc.desk", "plugin.outbound.>", "news.*", "_inbox.>"]);
}

#[test]
fn declarations_that_cannot_share_a_plugin_are_told_apart() {
    assert_eq!(manifest_of(&[]).unwrap_err(), DeclarationConflict::Empty);
    let twice = manifest_of(&[declared("jira"), declared("jira")]).unwrap_err();
    assert_eq!(twice.to_string(), "kind `jira` is added twice");
    let first = declared("jira").plugin_id("desk");
    let second = declared("rss").plugin_id("news");
    let error = manifest_of(&[first, second]).unwrap_err().to_string();
    assert_eq!(error, "kinds `jira` and `rss` share one plugin but disagree on `plugin_id`: desk and news");
}

#[test]
fn a_manifest_has_a_size_and_so_many_kinds_with_names_of_a_length_and_not_every_fault_is_told() {
    let large = format!("{JIRA}\n# {}", "x".repeat(Manifest::MAX_BYTES));
    let said = Manifest::parse(&large, "jira.toml").unwrap_err().to_string();
    assert_eq!(said, "jira.toml: it has more than 262144 bytes, the most that a manifest may have");
    let handshake = format!("{{\"manifest\":{{}},\"x\":\"{}\"}}", "x".repeat(Manifest::MAX_BYTES));
    assert!(Manifest::from_handshake(&handshake, "it").unwrap_err().to_string().contains("262144 bytes"));
    let with = |kinds: &[String]| JIRA.replace("kinds = [\"jira\"]", &format!("kinds = {kinds:?}"));
    let kinds: Vec<String> = (0..=PollerSection::MAX_KINDS).map(|n| format!("k{n}")).collect();
    Manifest::parse(&with(&kinds[1..]), "a").unwrap();
    let said = Manifest::parse(&with(&kinds), "a").unwrap_err().to_string();
    assert_eq!(said, "a: `plugin.poller.kinds`: must name at most 1000 kinds; found 1001");
    let said = Manifest::parse(&with(&["k".repeat(65)]), "a").unwrap_err().to_string();
    assert_eq!(said, "a: `plugin.poller.kinds[0]`: must have at most 64 characters; found 65");
    let wrong: Vec<String> = (0..500).map(|n| format!("K{n}")).collect();
    assert_eq!(Manifest::parse(&with(&wrong), "a").unwrap_err().problems.len(), 20);
}
