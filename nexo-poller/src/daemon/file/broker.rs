use std::fmt;
use std::path::{Path, PathBuf};

use crate::daemon::yaml::{Node, Place, Sink, Table, Yaml};

/// `broker`: the NATS server that daemons and plugins of several machines share.
#[derive(Clone, Default, PartialEq)]
pub struct BrokerSettings {
    /// `url`. A name and password are better given by the environment.
    pub url: String,
    /// `plugins`: manifests of plugins that others start and that serve over the broker; files, or directories of them.
    pub plugins: Vec<PathBuf>,
    /// `stored`: topics whose messages a JetStream stream keeps.
    pub stored: Vec<String>,
}

impl BrokerSettings {
    pub(super) fn read(table: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Option<Self> {
        let (key, node) = table.take("broker")?;
        if let Yaml::Text(url) = &node.value {
            return Some(Self { url: url.clone(), ..Self::default() });
        }
        let mut broker = Table::open("`broker`", Place::value(key, node.at), node, sink)?;
        let url = broker.required("url", sink).map(|(url, _)| url);
        let plugins = texts(&mut broker, "plugins", sink).into_iter().map(|path| dir.join(path)).collect();
        let stored = texts(&mut broker, "stored", sink);
        broker.finish(sink);
        Some(Self { url: url?, plugins, stored })
    }
}

/// A list of texts, or one text alone.
fn texts(table: &mut Table<'_>, name: &'static str, sink: &mut Sink<'_>) -> Vec<String> {
    let Some((key, node)) = table.take(name) else { return Vec::new() };
    let Yaml::List(items) = &node.value else {
        if let Yaml::Text(text) = &node.value {
            return vec![text.clone()];
        }
        let message = format!("`{name}` must be a list of texts, found {}", node.value.noun());
        sink.add(Place::value(key, node.at), message);
        return Vec::new();
    };
    let text = |item: &Node| match &item.value {
        Yaml::Text(text) if !text.trim().is_empty() => Some(text.clone()),
        other => {
            sink.add(Place::item(item.at), format!("each item of `{name}` must be text, found {}", other.noun()));
            None
        }
    };
    items.iter().filter_map(text).collect()
}

/// Shows no URL: it may hold a password.
impl fmt::Debug for BrokerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerSettings")
            .field("plugins", &self.plugins)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}
