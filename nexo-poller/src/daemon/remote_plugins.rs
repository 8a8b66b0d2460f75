use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use super::plugin_report::PluginReport;
use super::plugins::offer;
use crate::broker::Broker;
use crate::contract::Redact;
use crate::manifest::Manifest;
use crate::router::{PluginPollerRouter, serve_relayed_calls};
use crate::runner::PollerRegistry;

/// Plugins that others start, on this machine or another, and that serve over the broker.
pub(super) struct RemotePlugins {
    router: PluginPollerRouter,
    registry: PollerRegistry,
    known: Mutex<BTreeMap<String, Known>>,
}

struct Known {
    manifest: Manifest,
    kinds: Vec<String>,
    calls: AbortHandle,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.calls.abort();
    }
}

impl RemotePlugins {
    pub(super) fn new(broker: Arc<dyn Broker>, registry: PollerRegistry, redact: Redact) -> Self {
        Self { router: PluginPollerRouter::new(broker).with_redact(redact), registry, known: Mutex::default() }
    }

    /// Offers the kinds of `manifests`, and takes away those of plugins that are not there any more where `all` of them
    /// could be read.
    pub(super) fn set(&self, manifests: &[Manifest], all: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> = known
            .iter()
            .filter(|(id, known)| match manifests.iter().find(|manifest| manifest.plugin.id == **id) {
                Some(manifest) => *manifest != known.manifest,
                None => all,
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            if let Some(gone) = known.remove(&id) {
                for kind in &gone.kinds {
                    self.registry.unregister(kind);
                }
                self.router.remove(&id);
            }
        }
        for manifest in manifests {
            if !known.contains_key(&manifest.plugin.id) {
                self.add(manifest, &mut known);
            }
        }
    }

    fn add(&self, manifest: &Manifest, known: &mut BTreeMap<String, Known>) {
        let kinds = match self.router.register_remote(manifest) {
            Ok(kinds) => kinds,
            Err(error) => return tracing::error!("{error}"),
        };
        let id = manifest.plugin.id.clone();
        let serving = serve_relayed_calls(self.router.broker(), self.router.in_flight(), id.clone());
        let plugin = id.clone();
        let calls = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(plugin, %error, "calls of this plugin cannot be answered");
            }
        });
        let names = kinds.iter().map(|kind| kind.kind.clone()).collect();
        kinds.into_iter().for_each(|kind| offer(&self.registry, kind));
        known.insert(id, Known { manifest: manifest.clone(), kinds: names, calls: calls.abort_handle() });
    }

    pub(super) fn report(&self) -> Vec<PluginReport> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| PluginReport::remote(&known.manifest.plugin, &known.kinds)).collect()
    }
}
