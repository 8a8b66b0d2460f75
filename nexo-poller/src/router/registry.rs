use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::kinds::has_room_for;
use super::{EphemeralPollerProxy, InFlight, PluginBinary, PluginLink, PluginPollerProxy};
use crate::broker::Broker;
use crate::contract::{Poller, Redact};
use crate::manifest::{Manifest, PluginSection, PrefixOverlap};

/// Which plugin serves which kind. Built empty; filled as plugins are found and come up; clones are one router.
#[derive(Clone)]
pub struct PluginPollerRouter {
    broker: Arc<dyn Broker>,
    in_flight: InFlight,
    redact: Redact,
    plugins: Arc<RwLock<BTreeMap<String, Entry>>>,
}

impl fmt::Debug for PluginPollerRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginPollerRouter").finish_non_exhaustive()
    }
}

struct Entry {
    plugin: PluginSection,
    link: PluginLink,
    kinds: Vec<PluginKind>,
}

/// One kind that a plugin serves.
#[derive(Clone)]
#[non_exhaustive]
pub struct PluginKind {
    /// The kind.
    pub kind: String,
    /// The plugin that serves it.
    pub plugin: String,
    /// Ticks of it that may run at once.
    pub max_concurrent_ticks: u32,
    /// The deadline of one tick, in seconds.
    pub tick_timeout_secs: u32,
    /// The kind as a poller.
    pub poller: Arc<dyn Poller>,
}

impl fmt::Debug for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginKind")
            .field("kind", &self.kind)
            .field("plugin", &self.plugin)
            .field("max_concurrent_ticks", &self.max_concurrent_ticks)
            .field("tick_timeout_secs", &self.tick_timeout_secs)
            .finish_non_exhaustive()
    }
}

/// Why a plugin's kinds get no route. An operator sees it when the daemon starts or reloads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PollerRouteRegistrationError {
    /// Two plugins declare one kind.
    #[error(
        "kind `{kind}` is declared by plugin `{first}` and by plugin `{second}`: remove one of them, or rename its kind"
    )]
    DuplicateKind {
        /// The kind.
        kind: String,
        /// The plugin that was there first.
        first: String,
        /// The other.
        second: String,
    },
    /// The ticks of one would arrive among the topics of the other.
    #[error(transparent)]
    Prefix(#[from] PrefixOverlap),
    /// This process has seen too many kinds, by reloads with ever new ones.
    #[error("kind `{kind}` of plugin `{plugin}` is not taken: this daemon has seen too many kinds; restart it")]
    TooManyKinds {
        /// The kind.
        kind: String,
        /// The plugin.
        plugin: String,
    },
}

impl PluginPollerRouter {
    /// A router without plugins, on `broker`.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker, in_flight: InFlight::default(), redact: Redact::default(), plugins: Arc::default() }
    }

    /// Applies `redact` to what plugins write to stderr and to the errors of their ticks.
    #[must_use]
    pub fn with_redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// What takes secrets out of what plugins say.
    pub(super) fn redact(&self) -> Redact {
        self.redact.clone()
    }

    /// The broker that its plugins are on.
    #[must_use]
    pub fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    /// The ticks that its plugins run.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Adds a plugin that was found on this machine, or replaces its entry; the kinds that it serves from now on.
    ///
    /// # Errors
    /// [`PollerRouteRegistrationError`] where another plugin serves one of its kinds, or has its topics; nothing is changed then.
    pub fn register(&self, binary: &PluginBinary) -> Result<Vec<PluginKind>, PollerRouteRegistrationError> {
        let manifest = &binary.manifest;
        let ephemeral = manifest.plugin.is_ephemeral();
        let kinds = self.enter(manifest, PluginLink::new(&manifest.plugin.id), |kind, link| {
            if ephemeral {
                let broker = Arc::clone(&self.broker);
                Arc::new(
                    EphemeralPollerProxy::new(kind, binary.clone(), broker, self.in_flight.clone())
                        .with_redact(self.redact()),
                )
            } else {
                self.proxy(kind, manifest, link)
            }
        })?;
        for withheld in binary.rights().withheld() {
            tracing::warn!(plugin = manifest.plugin.id, "its manifest asks to {withheld}");
        }
        Ok(kinds)
    }

    /// Adds a plugin that runs elsewhere and is reached through the broker, or replaces its entry.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_remote(&self, manifest: &Manifest) -> Result<Vec<PluginKind>, PollerRouteRegistrationError> {
        self.enter(manifest, PluginLink::always_up(), |kind, link| self.proxy(kind, manifest, link))
    }

    /// Forgets a plugin.
    pub fn remove(&self, plugin: &str) {
        self.plugins.write().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }

    /// Every kind that is served, by plugin.
    #[must_use]
    pub fn kinds(&self) -> Vec<PluginKind> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.values().flat_map(|entry| entry.kinds.iter().cloned()).collect()
    }

    /// The link that a plugin's supervisor reports on.
    pub(super) fn link(&self, plugin: &str) -> Option<PluginLink> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.get(plugin).map(|entry| entry.link.clone())
    }

    fn proxy(&self, kind: &str, manifest: &Manifest, link: &PluginLink) -> Arc<dyn Poller> {
        let (broker, in_flight) = (Arc::clone(&self.broker), self.in_flight.clone());
        Arc::new(PluginPollerProxy::new(kind, manifest, broker, link.clone(), in_flight).with_redact(self.redact()))
    }

    fn enter(
        &self,
        manifest: &Manifest,
        link: PluginLink,
        poller: impl Fn(&str, &PluginLink) -> Arc<dyn Poller>,
    ) -> Result<Vec<PluginKind>, PollerRouteRegistrationError> {
        let id = &manifest.plugin.id;
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        // A plugin that is registered again keeps the link that its supervisor holds.
        let link = plugins.get(id).map_or(link, |entry| entry.link.clone());
        let mut kinds = Vec::new();
        if let Some(section) = &manifest.plugin.poller {
            for kind in &section.kinds {
                let taken = plugins
                    .iter()
                    .find(|(other, entry)| *other != id && entry.kinds.iter().any(|served| served.kind == *kind));
                if let Some((first, _)) = taken {
                    return Err(PollerRouteRegistrationError::DuplicateKind {
                        kind: kind.clone(),
                        first: first.clone(),
                        second: id.clone(),
                    });
                }
                if !has_room_for(kind) {
                    return Err(PollerRouteRegistrationError::TooManyKinds { kind: kind.clone(), plugin: id.clone() });
                }
                kinds.push(PluginKind {
                    kind: kind.clone(),
                    plugin: id.clone(),
                    max_concurrent_ticks: section.max_concurrent_ticks,
                    tick_timeout_secs: section.tick_timeout_secs,
                    poller: poller(kind, &link),
                });
            }
        }
        let mut others = plugins.iter().filter(|(other, _)| *other != id);
        if let Some(overlap) = others.find_map(|(_, entry)| PrefixOverlap::of(&entry.plugin, &manifest.plugin)) {
            return Err(overlap.into());
        }
        plugins.insert(id.clone(), Entry { plugin: manifest.plugin.clone(), link, kinds: kinds.clone() });
        Ok(kinds)
    }
}
