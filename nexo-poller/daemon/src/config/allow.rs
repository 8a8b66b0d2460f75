use std::collections::BTreeMap;

use nexo_poller::contract::Pattern;
use nexo_poller::manifest::PluginGrants;
use nexo_poller::wire::topics;

use crate::config::keys::{self, allow as key};
use crate::config::yaml::{Place, Sink, Table, Yaml};

/// `allow`: what plugins may publish and hear beyond what every plugin may, by their ids.
pub(super) fn read(table: &mut Table<'_>, sink: &mut Sink<'_>) -> BTreeMap<String, PluginGrants> {
    let mut all = BTreeMap::new();
    let Some((written, node)) = keys::settings::ALLOW.take(table) else { return all };
    let Yaml::Map(plugins) = &node.value else {
        let message = format!("`allow` must be a mapping from plugin ids, found {}", node.value.noun());
        sink.add(Place::value(written, node.at), message);
        return all;
    };
    for (plugin, node) in plugins {
        let place = Place::value(plugin, node.at);
        let name = format!("`allow` of plugin `{}`", plugin.name);
        let Some(mut table) = Table::open(&name, place.clone(), node, sink) else { continue };
        let publish = patterns(&key::PUBLISH.read(&mut table, sink), &place, sink);
        let subscribe = patterns(&key::SUBSCRIBE.read(&mut table, sink), &place, sink);
        table.finish(sink);
        if all.insert(plugin.name.clone(), PluginGrants::new(publish, subscribe)).is_some() {
            sink.add(Place::key(plugin), format!("`{}` stands twice", plugin.name));
        }
    }
    all
}

/// Those that somebody can allow; the others are reported.
fn patterns(texts: &[String], place: &Place, sink: &mut Sink<'_>) -> Vec<Pattern> {
    let pattern = |text: &String| {
        let read = text.parse::<Pattern>().map_err(|error| error.to_string());
        let fault = match read {
            Ok(pattern) => match topics::why_not_grantable(text) {
                None => return Some(pattern),
                Some(why) => format!("`{text}` cannot be allowed to a plugin: {why}"),
            },
            Err(fault) => fault,
        };
        sink.add(place.clone(), fault);
        None
    };
    texts.iter().filter_map(pattern).collect()
}
