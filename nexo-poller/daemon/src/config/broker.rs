use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::yaml::{Node, Place, Sink, Table, Yaml};

/// `broker`: the NATS server that daemons and plugins of several machines share.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct BrokerSettings {
    /// `url`. A name and password are better given by the environment.
    pub(crate) url: String,
    /// `plugins`: manifests of plugins that others start and that serve over the broker; files, or directories of them.
    pub(crate) plugins: Vec<PathBuf>,
    /// `state`: the bucket with job state, in place of `state_db`; daemons with the same one share their jobs.
    pub(crate) state: Option<StateSettings>,
    /// `stored`: topics whose messages a JetStream stream keeps.
    pub(crate) stored: Vec<String>,
}

/// `broker.state`: a bucket of JetStream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateSettings {
    /// `bucket`.
    pub(crate) bucket: String,
    /// `history`: entries of each job that are kept.
    pub(crate) history: u8,
    /// `replicas`: servers that have each entry.
    pub(crate) replicas: usize,
}

impl StateSettings {
    fn of(bucket: String) -> Self {
        Self { bucket, history: 10, replicas: 1 }
    }

    fn read(table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let (key, node) = table.take("state")?;
        let place = Place::value(key, node.at);
        let (state, place) = match &node.value {
            Yaml::Text(bucket) => (Self::of(bucket.clone()), place),
            _ => {
                let mut state = Table::open("`state`", place, node, sink)?;
                let bucket = state.required("bucket", sink);
                let history = state.whole("history", 1..=64, sink).and_then(|depth| u8::try_from(depth).ok());
                let replicas = state.whole("replicas", 1..=5, sink).and_then(|copies| usize::try_from(copies).ok());
                state.finish(sink);
                let (bucket, place) = bucket?;
                let defaults = Self::of(bucket);
                let history = history.unwrap_or(defaults.history);
                (Self { history, replicas: replicas.unwrap_or(defaults.replicas), ..defaults }, place)
            }
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if state.bucket.is_empty() || !state.bucket.chars().all(named) {
            sink.add(place, "a bucket's name has letters, digits, `_` and `-` only");
            return None;
        }
        Some(state)
    }
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
        let state = StateSettings::read(&mut broker, sink);
        broker.finish(sink);
        Some(Self { url: url?, plugins, stored, state })
    }
}

/// A list of texts, or one text alone.
pub(super) fn texts(table: &mut Table<'_>, name: &'static str, sink: &mut Sink<'_>) -> Vec<String> {
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
