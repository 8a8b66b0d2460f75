use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexo_poller::broker::Broker;
use nexo_poller::contract::Redact;
use nexo_poller::manifest::Manifest;
use nexo_poller::router::{PluginPollerRouter, serve_relayed_calls};
use nexo_poller::runner::PollerRegistry;
use tokio::task::AbortHandle;

use super::offer::offer;
use super::report::PluginReport;

/// Where a plugin's calls cannot be listened to, that is tried again after this, and ever later up to the other.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Plugins that others start, on this machine or another, and that serve over the broker.
pub(crate) struct RemotePlugins {
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
    pub(crate) fn new(broker: Arc<dyn Broker>, registry: PollerRegistry, redact: Redact) -> Self {
        Self { router: PluginPollerRouter::new(broker).with_redact(redact), registry, known: Mutex::default() }
    }

    /// Offers the kinds of `manifests`, and takes away those of plugins that are not there any more where `all` of them
    /// could be read.
    pub(crate) fn set(&self, manifests: &[Manifest], all: bool) {
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
        let (broker, in_flight, plugin) = (self.router.broker(), self.router.in_flight(), id.clone());
        let calls = tokio::spawn(async move {
            let mut wait = FIRST_RETRY;
            // The server may be away just now: then its ticks would be asked for and their calls refused.
            while let Err(error) = serve_relayed_calls(Arc::clone(&broker), in_flight.clone(), plugin.clone()).await {
                tracing::error!(plugin, %error, "calls of this plugin cannot be answered; tried again in {} s", wait.as_secs());
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LAST_RETRY);
            }
        });
        let names = kinds.iter().map(|kind| kind.kind.clone()).collect();
        kinds.into_iter().for_each(|kind| offer(&self.registry, kind));
        known.insert(id, Known { manifest: manifest.clone(), kinds: names, calls: calls.abort_handle() });
    }

    pub(crate) fn report(&self) -> Vec<PluginReport> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| PluginReport::remote(&known.manifest.plugin, &known.kinds)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use serde_json::{Value, json};

    use super::*;
    use nexo_poller::broker::{BrokerError, LocalBroker, Subscription};
    use nexo_poller::wire::Event;

    /// A server that is away the first time it is asked to listen.
    struct Away(LocalBroker, AtomicBool);

    #[async_trait]
    impl Broker for Away {
        async fn publish(&self, event: Event) -> Result<(), BrokerError> {
            self.0.publish(event).await
        }

        async fn subscribe(&self, pattern: &str, group: Option<&str>) -> Result<Subscription, BrokerError> {
            if self.1.swap(false, Ordering::Relaxed) {
                return Err(BrokerError::Closed { reason: "it is away".to_owned() });
            }
            self.0.subscribe(pattern, group).await
        }

        async fn request(&self, topic: &str, source: &str, body: Value, wait: Duration) -> Result<Value, BrokerError> {
            self.0.request(topic, source, body, wait).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_plugin_whose_calls_could_not_be_listened_to_is_heard_once_the_server_is_back() {
        let broker = Arc::new(Away(LocalBroker::new(), AtomicBool::new(true)));
        let plugins = RemotePlugins::new(Arc::clone(&broker) as _, PollerRegistry::new(), Redact::default());
        let manifest = "manifest_version = 2\n[plugin]\nid = 'jira'\nversion = '0.1.0'\nname = 'Jira'\n\
            [plugin.entrypoint]\ncommand = 'jira'\n[plugin.capabilities.broker]\n\
            subscribe = ['plugin.poller.jira.tick', '_inbox.>']\npublish = ['daemon.rpc.jira', '_inbox.>']\n\
            [plugin.poller]\nkinds = ['jira']\nbroker_topic_prefix = 'plugin.poller.jira'\n";
        plugins.set(&[Manifest::parse(manifest, "jira.toml").unwrap()], true);
        tokio::time::sleep(FIRST_RETRY * 2).await;
        let call = json!({"method": "credentials_get", "params": {}, "agent_id": "ana", "job_id": "x"});
        let answer = broker.request("daemon.rpc.jira", "jira", call, Duration::from_secs(10)).await.unwrap();
        assert_eq!(answer["error"]["code"], -32001, "it is heard, and runs no tick: {answer}");
    }
}
