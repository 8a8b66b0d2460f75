use std::fmt;
use std::path::{Path, PathBuf};

use nexo_poller::contract::Pattern;

use crate::config::keys::{self, broker as key};
use crate::config::yaml::{Place, Sink, Table, Yaml};

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
    pub(crate) replicas: u8,
}

impl StateSettings {
    fn of(bucket: String) -> Self {
        Self { bucket, history: key::HISTORY.default(), replicas: key::REPLICAS.default() }
    }

    fn read(table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        let (written, node) = key::STATE.take(table)?;
        let place = Place::value(written, node.at);
        let (state, place) = match &node.value {
            Yaml::Text(bucket) => (Self::of(bucket.clone()), place),
            _ => {
                let mut state = key::STATE.open_at(place, node, sink)?;
                let bucket = key::BUCKET.read(&mut state, sink);
                let history = key::HISTORY.read(&mut state, sink);
                let replicas = key::REPLICAS.read(&mut state, sink);
                state.finish(sink);
                let (bucket, place) = bucket?;
                (Self { bucket, history, replicas }, place)
            }
        };
        if state.bucket.is_empty() || !key::BUCKET.takes(&state.bucket) {
            sink.add(place, "a bucket's name has letters, digits, `_` and `-` only");
            return None;
        }
        Some(state)
    }
}

impl BrokerSettings {
    pub(super) fn read(table: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Option<Self> {
        let (written, node) = keys::settings::BROKER.take(table)?;
        if let Yaml::Text(url) = &node.value {
            return Some(Self { url: url.clone(), ..Self::default() });
        }
        let mut broker = keys::settings::BROKER.open_at(Place::value(written, node.at), node, sink)?;
        let url = key::URL.read(&mut broker, sink).map(|(url, _)| url);
        let plugins = key::PLUGINS.read(&mut broker, sink).into_iter().map(|path| dir.join(path)).collect();
        let stored = key::STORED.read(&mut broker, sink);
        for fault in stored.iter().filter_map(|text| text.parse::<Pattern>().err()) {
            sink.add(broker.place(), format!("`stored`: {fault}"));
        }
        let state = StateSettings::read(&mut broker, sink);
        broker.finish(sink);
        Some(Self { url: url?, plugins, stored, state })
    }
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
