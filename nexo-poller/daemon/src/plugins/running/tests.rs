use super::*;
use nexo_poller::broker::LocalBroker;
use nexo_poller::host::StaticCredentials;
use nexo_poller::manifest::Manifest;

/// A plugin that never gets through its handshake: what `cat` answers is no answer.
fn silent(version: &str) -> PluginSet {
    set_of(vec![binary("silent", version, "silent")])
}

fn set_of(found: Vec<PluginBinary>) -> PluginSet {
    let mut set = PluginSet::default();
    set.found = found;
    set
}

fn binary(id: &str, version: &str, kind: &str) -> PluginBinary {
    let manifest = format!(
        "manifest_version = 2\n[plugin]\nid = \"{id}\"\nversion = \"{version}\"\nname = \"Silent\"\n\
         [plugin.entrypoint]\ncommand = \"cat\"\n[plugin.poller]\nkinds = [\"{kind}\"]\n\
         broker_topic_prefix = \"plugin.poller.{kind}\"\n"
    );
    PluginBinary::new(Manifest::parse(&manifest, "test").unwrap(), "cat")
}

fn plugins(registry: &PollerRegistry) -> Plugins {
    let services = HostServices::new(Arc::new(LocalBroker::new()), Arc::new(StaticCredentials::new()));
    Plugins::new(services, registry.clone())
}

#[tokio::test]
async fn kinds_that_move_between_plugins_leave_none_of_them_ended() {
    let plugins = plugins(&PollerRegistry::new());
    let set = |found: &[(&str, &str)]| set_of(found.iter().map(|(id, kind)| binary(id, "0.1.0", kind)).collect());
    for found in [
        &[("a", "mail"), ("b", "news")][..],
        &[("a", "news"), ("b", "mail")],
        &[("a", "mail")],
        &[("c", "mail"), ("a", "feeds")],
        &[("d", "mail")],
    ] {
        let set = set(found);
        plugins.add(&set).await;
        plugins.retain(&set).await;
        let running: Vec<_> = plugins.report().into_iter().map(|plugin| (plugin.id, plugin.kinds)).collect();
        let mut expected: Vec<_> =
            found.iter().map(|(id, kind)| ((*id).to_owned(), vec![(*kind).to_owned()])).collect();
        expected.sort_unstable();
        assert_eq!(running, expected);
    }
}

#[tokio::test]
async fn a_plugin_that_is_taken_away_while_it_starts_ends_at_once_and_is_never_offered() {
    let registry = PollerRegistry::new();
    let plugins = plugins(&registry);
    plugins.add(&silent("0.1.0")).await;
    plugins.add(&silent("0.2.0")).await;
    assert_eq!(plugins.report()[0].version, "0.2.0");
    plugins.retain(&PluginSet::default()).await;
    assert!(plugins.report().is_empty());
    // Everybody who waited for a start has been told by now, and nobody has offered it.
    plugins.settled(Duration::from_secs(60)).await;
    assert!(registry.kinds().is_empty());
}
