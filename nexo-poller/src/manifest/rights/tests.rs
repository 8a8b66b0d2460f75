use proptest::prelude::*;

use super::*;
use crate::manifest::Manifest;

/// What a manifest of `jira` may hold besides its lists.
fn plugin(poller: bool, publish: &[&str], subscribe: &[&str]) -> PluginSection {
    let section = "[plugin.poller]\nkinds = ['jira']\nbroker_topic_prefix = 'plugin.poller.jira'\n";
    let text = format!(
        "manifest_version = 2\n[plugin]\nid = 'jira'\nversion = '0.1.0'\nname = 'Jira'\n[plugin.entrypoint]\ncommand = 'jira'\n\
         [plugin.capabilities.broker]\npublish = {publish:?}\nsubscribe = {subscribe:?}\n{}",
        if poller { section } else { "" }
    );
    Manifest::parse(&text, "test").unwrap().plugin
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const EVERYTHING: [&str; 3] = [">", "daemon.>", "_inbox.>"];

#[test]
fn a_hostile_manifest_gives_no_hostile_topic() {
    let rights = PluginRights::of(&plugin(true, &EVERYTHING, &EVERYTHING), &PluginGrants::default());
    let hostile = fixtures::hostile_topics("jira", "rss");
    let said = hostile.iter().filter(|topic| rights.may_publish(topic)).count();
    let heard = hostile.iter().filter(|topic| rights.may_hear(topic) || rights.may_subscribe(topic)).count();
    println!("hostile topics tried {}, passed {}", hostile.len(), said + heard);
    assert_eq!((said, heard), (0, 0));
    for pattern in EVERYTHING.iter().chain(&["plugin.>", "plugin.poller.*.tick", "daemon.rpc.*", "plugin.outbound.>"]) {
        assert!(!rights.may_subscribe(pattern), "{pattern}");
    }
}

#[test]
fn the_manifests_of_published_plugins_give_what_they_need() {
    let subscribe = ["plugin.poller.jira.tick", "_inbox.>"];
    for publish in
        [["daemon.rpc.jira", "plugin.outbound.>", "_inbox.>"], ["daemon.rpc.*", "plugin.outbound.>", "_inbox.>"]]
    {
        let rights = PluginRights::of(&plugin(true, &publish, &subscribe), &PluginGrants::default());
        assert!(rights.may_publish("daemon.rpc.jira") && rights.may_publish("plugin.outbound.slack.ops"));
        assert!(rights.may_hear("plugin.poller.jira.tick") && rights.may_subscribe("plugin.poller.jira.tick"));
        assert_eq!(rights.publish(), patterns(&["plugin.outbound.>"]));
        let withheld: Vec<String> = rights.withheld().iter().map(ToString::to_string).collect();
        let narrowed = "publish `daemon.rpc.*` and may publish only `daemon.rpc.jira`";
        assert_eq!(withheld, if publish[0].ends_with('*') { vec![narrowed] } else { vec![] });
    }
}

#[test]
fn what_a_plugin_is_by_itself_its_manifest_need_not_say() {
    let rights = PluginRights::of(&plugin(true, &[], &[]), &PluginGrants::default());
    assert!(rights.may_publish("daemon.rpc.jira") && rights.may_hear("plugin.poller.jira.tick"));
    assert!(!rights.may_publish("plugin.outbound.slack.ops"));
}

#[test]
fn a_channel_hears_its_own_messages_and_a_poller_hears_none() {
    let all = ["plugin.outbound.>"];
    let channel = PluginRights::of(&plugin(false, &[], &all), &PluginGrants::default());
    assert!(channel.may_hear("plugin.outbound.jira.ops") && !channel.may_hear("plugin.outbound.slack.ops"));
    let mut console = plugin(false, &[], &all);
    console.id = "console".to_owned();
    assert!(!PluginRights::of(&console, &PluginGrants::default()).may_hear("plugin.outbound.console.console"));
    let poller = PluginRights::of(&plugin(true, &[], &all), &PluginGrants::default());
    assert!(!poller.may_hear("plugin.outbound.jira.ops"));
    let said = poller.withheld()[0].to_string();
    assert_eq!(said, "subscribe `plugin.outbound.>` and may subscribe nothing of it");
}

#[test]
fn an_operator_allows_what_the_manifest_asks_for_and_nothing_of_the_protocols() {
    let grants = PluginGrants::new(patterns(&["news.>"]), patterns(&["news.*", "stock.*"]));
    let rights = PluginRights::of(&plugin(true, &["news.items.*", "plugin.outbound.a.>"], &["news.*"]), &grants);
    assert!(rights.may_publish("news.items.a") && !rights.may_publish("news.other.a"));
    assert!(rights.may_hear("news.a") && !rights.may_hear("news.tick") && !rights.may_hear("stock.a"));
    assert_eq!(rights.withheld(), []);
    let without = PluginRights::of(&plugin(true, &["news.items.*"], &[]), &PluginGrants::default());
    assert!(!without.may_publish("news.items.a") && without.withheld().len() == 1);
}

#[test]
fn a_test_of_a_poller_allows_what_an_operator_could() {
    let section = plugin(true, &["news.items.*", "plugin.outbound.>", ">"], &["news.*", "_inbox.>"]);
    let grants = PluginGrants::of_wishes(&section);
    assert_eq!(grants.publish, patterns(&["news.items.*", "plugin.outbound.>"]));
    assert_eq!(grants.subscribe, patterns(&["news.*"]));
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "plugin", "outbound", "poller", "daemon", "rpc", "jira", "rss", "_inbox", "_INBOX", "tick", "news", "*",
    ])
}

fn pattern() -> impl Strategy<Value = String> {
    (prop::collection::vec(segment(), 1..5), any::<bool>()).prop_map(|(mut segments, tail)| {
        if tail {
            segments.push(">");
        }
        segments.join(".")
    })
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(segment().prop_filter("a topic", |segment| *segment != "*"), 1..5)
        .prop_map(|segments| segments.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_right_has_a_reason_and_a_reason_gives_the_right(
        publish in prop::collection::vec(pattern(), 0..4),
        subscribe in prop::collection::vec(pattern(), 0..4),
        allowed in prop::collection::vec(pattern(), 0..3),
        topics in prop::collection::vec(topic(), 1..20),
    ) {
        let loads = |text: &&String| crate::contract::reserved::why_refused("jira", text).is_none();
        let publish: Vec<&str> = publish.iter().filter(loads).map(String::as_str).collect();
        let subscribe: Vec<&str> = subscribe.iter().filter(loads).map(String::as_str).collect();
        let section = plugin(true, &publish, &subscribe);
        let allowed: Vec<Pattern> = allowed
            .iter()
            .filter(|text| crate::contract::reserved::why_not_grantable(text).is_none())
            .map(|text| text.parse().unwrap())
            .collect();
        let rights = PluginRights::of(&section, &PluginGrants::new(allowed.clone(), allowed.clone()));
        let asks = |list: &[&str], topic: &str| patterns(list).iter().any(|pattern| pattern.matches(topic));
        for topic in &topics {
            let allows = allowed.iter().any(|pattern| pattern.matches(topic)) && !is_reserved(topic);
            let message = topics::is_outbound(topic);
            let wanted = topic == "daemon.rpc.jira" || (asks(&publish, topic) && (allows || message));
            prop_assert_eq!(rights.may_publish(topic), wanted, "publish {}", topic);
            let wanted = topic == "plugin.poller.jira.tick" || (asks(&subscribe, topic) && allows);
            prop_assert_eq!(rights.may_hear(topic), wanted, "hear {}", topic);
        }
        for pattern in rights.publish().iter().chain(rights.subscribe()) {
            prop_assert!(pattern.as_str().parse::<Pattern>().is_ok());
        }
    }
}
