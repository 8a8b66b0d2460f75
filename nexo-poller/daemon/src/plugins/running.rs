#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexo_poller::broker::Broker;
use nexo_poller::contract::PollerHost;
use nexo_poller::host::{HostServices, InProcessHost, MetricSink};
use nexo_poller::router::{PluginBinary, PluginPollerRouter, Supervisor, SupervisorOptions};
use nexo_poller::runner::{HostProvider, PollerRegistry, TickIdentity};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::task::JoinSet;

use super::built_in;
use super::dry_runner::{DryRunner, NoDryRunner};
use super::homes::PluginHomes;
use super::offer::offer;
use super::remote::RemotePlugins;
use super::report::{PluginFigures, PluginReport};
use super::set::PluginSet;
use crate::config::off_runtime;
use crate::telemetry::counters::Counters;

/// A plugin that a reload removes may take this long to end.
const REMOVE_GRACE: Duration = Duration::from_secs(5);

/// The plugins that run.
pub(crate) struct Plugins {
    router: PluginPollerRouter,
    registry: PollerRegistry,
    services: HostServices,
    counters: Arc<Counters>,
    running: Mutex<BTreeMap<String, RunningPlugin>>,
    /// Tasks that offer a plugin's kinds once it has come up.
    offering: Mutex<JoinSet<()>>,
    /// Those that serve over the broker of many machines, where there is one.
    remote: Option<RemotePlugins>,
    homes: PluginHomes,
}

struct RunningPlugin {
    binary: PluginBinary,
    file: Option<FileMark>,
    kinds: Vec<String>,
    /// None for a plugin that has a process per tick only.
    supervisor: Option<Supervisor>,
    /// Set where it is taken away: what comes up only then is not offered any more.
    gone: Arc<Mutex<bool>>,
}

impl RunningPlugin {
    fn report(&self) -> PluginReport {
        let status = self.supervisor.as_ref().map(Supervisor::status);
        PluginReport::of(&self.binary.manifest.plugin, &self.kinds, status)
    }
}

/// What tells a plugin's file from one that has taken its place.
#[derive(Debug, PartialEq, Eq)]
struct FileMark {
    inode: u64,
    bytes: u64,
    modified: Option<std::time::SystemTime>,
}

impl FileMark {
    /// None where the program is found by its name on the PATH.
    fn of(program: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(program).ok()?;
        Some(Self { inode: metadata.ino(), bytes: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Plugins {
    /// `services` are what ticks get, but for what they count: that is kept here.
    pub(crate) fn new(services: HostServices, registry: PollerRegistry) -> Self {
        let counters = Arc::new(Counters::default());
        let services = services.with_metrics(Arc::clone(&counters) as Arc<dyn MetricSink>);
        Self {
            router: PluginPollerRouter::new(Arc::clone(&services.broker)).with_redact(services.redact.clone()),
            registry,
            services,
            counters,
            running: Mutex::default(),
            offering: Mutex::default(),
            remote: None,
            homes: PluginHomes::default(),
        }
    }

    /// Each plugin is at home in `homes`.
    #[must_use]
    pub(crate) fn with_homes(mut self, homes: PluginHomes) -> Self {
        self.homes = homes;
        self
    }

    /// Asks plugins that others start over `broker`.
    #[must_use]
    pub(crate) fn with_remote(mut self, broker: Arc<dyn Broker>) -> Self {
        self.remote = Some(RemotePlugins::new(broker, self.registry.clone(), self.services.redact.clone()));
        self
    }

    /// Offers the kinds of the plugins of `set` that others start, and only theirs.
    pub(crate) fn set_remote(&self, set: &PluginSet) {
        if let Some(remote) = &self.remote {
            remote.set(&set.remote, set.faults.is_empty());
        }
    }

    /// Where ticks get their hosts.
    pub(crate) fn hosts(&self) -> Arc<dyn HostProvider> {
        Arc::new(Hosts(self.services.clone()))
    }

    /// Starts the plugins of `set` that do not run yet; those whose binary or manifest is another now are started again.
    pub(crate) async fn add(&self, set: &PluginSet) {
        let programs: Vec<_> = set.found.iter().map(|binary| binary.program.clone()).collect();
        let looked = off_runtime("plugins", move || programs.iter().map(|program| FileMark::of(program)).collect());
        let marks: Vec<Option<FileMark>> = match looked.await {
            Ok(marks) => marks,
            Err(error) => return tracing::error!("{error}; plugins stay as they are"),
        };
        for (binary, mark) in set.found.iter().zip(marks) {
            let binary = &self.homes.settle(binary).await;
            let id = &binary.manifest.plugin.id;
            let known = {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.get(id).map(|running| running.binary == *binary && running.file == mark)
            };
            match known {
                Some(true) => continue,
                Some(false) => self.remove(id).await,
                None => {}
            }
            self.start(binary, mark);
        }
    }

    fn start(&self, binary: &PluginBinary, file: Option<FileMark>) {
        let id = binary.manifest.plugin.id.clone();
        let kinds = match self.router.register(binary) {
            Ok(kinds) => kinds,
            // A reload that moves a kind from one plugin to another: the old one is still there.
            Err(error) => return tracing::warn!("{error}; it starts when a reload has ended the first"),
        };
        let names = kinds.iter().map(|kind| kind.kind.clone()).collect();
        let supervisor = (!binary.manifest.plugin.is_ephemeral())
            .then(|| Supervisor::start(binary.clone(), &self.router, SupervisorOptions::default()));
        let settled = supervisor.as_ref().map(Supervisor::settled);
        let (registry, gone) = (self.registry.clone(), Arc::new(Mutex::new(false)));
        let running = RunningPlugin { binary: binary.clone(), file, kinds: names, supervisor, gone: Arc::clone(&gone) };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, running);
        // Its jobs wait until it is up, or has failed: then they report why.
        let offer = async move {
            if let Some(settled) = settled {
                settled.await;
            }
            let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
            if !*gone {
                kinds.into_iter().for_each(|kind| offer(&registry, kind));
            }
        };
        self.offering.lock().unwrap_or_else(PoisonError::into_inner).spawn(offer);
    }

    /// Ends the plugins that `set` has no more, and starts those that had to wait for the kinds of another one.
    pub(crate) async fn retain(&self, set: &PluginSet) {
        let gone: Vec<String> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let stays = |id: &&String| set.found.iter().any(|binary| binary.manifest.plugin.id == **id);
            running.keys().filter(|id| !stays(id)).cloned().collect()
        };
        for id in gone {
            self.remove(&id).await;
        }
        self.add(set).await;
    }

    async fn remove(&self, id: &str) {
        let removed = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(removed) = removed else { return };
        *removed.gone.lock().unwrap_or_else(PoisonError::into_inner) = true;
        for kind in &removed.kinds {
            self.registry.unregister(kind);
        }
        stop(removed, REMOVE_GRACE).await;
        self.router.remove(id);
        tracing::info!(plugin = id, "removed");
    }

    /// Waits until every plugin has come up or failed, for `limit` at most.
    pub(crate) async fn settled(&self, limit: Duration) {
        let mut offering = std::mem::take(&mut *self.offering.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while offering.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            // Who is late is offered all the same.
            let mut later = self.offering.lock().unwrap_or_else(PoisonError::into_inner);
            later.spawn(async move { while offering.join_next().await.is_some() {} });
        }
    }

    /// What ticks get.
    pub(crate) fn services(&self) -> HostServices {
        self.services.clone()
    }

    /// Who runs ticks of `kind` where nothing may remain of them.
    ///
    /// # Errors
    /// [`NoDryRunner`] where nobody on this machine does.
    pub(crate) fn runner_of(&self, kind: &str) -> Result<DryRunner, NoDryRunner> {
        if let Some(built_in) = built_in::find(kind) {
            return Ok(DryRunner::BuiltIn {
                poller: built_in.poller,
                limit: built_in.limits.tick_timeout,
                publish: built_in.publish,
            });
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let plugin = running.values().find(|running| running.kinds.iter().any(|served| served == kind));
        let plugin = plugin.ok_or_else(|| NoDryRunner { kind: kind.to_owned() })?;
        Ok(DryRunner::Plugin(Box::new(plugin.binary.clone())))
    }

    /// The last lines of a plugin's stderr, oldest first; `None` where no such plugin runs here.
    pub(crate) fn last_stderr(&self, id: &str) -> Option<Vec<String>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let status = running.get(id)?.supervisor.as_ref().map(Supervisor::status);
        Some(status.map(|status| status.last_stderr).unwrap_or_default())
    }

    /// Whether the plugin that was started from `program` serves ticks.
    pub(crate) fn serves(&self, program: &Path) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().any(|running| running.binary.program == program && running.report().is_well())
    }

    pub(crate) fn report(&self) -> Vec<PluginReport> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let reports = running.values().map(RunningPlugin::report);
        reports.chain(self.remote.iter().flat_map(RemotePlugins::report)).collect()
    }

    /// Adds the figures of plugins and the counters of pollers.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.counters.register(registry);
        registry.register_collector(Box::new(PluginFigures(self.report())));
    }

    /// Ends all of them at once.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        let mut offering = std::mem::take(&mut *self.offering.lock().unwrap_or_else(PoisonError::into_inner));
        offering.shutdown().await;
        let all = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let mut ending = JoinSet::new();
        for running in all.into_values() {
            ending.spawn(stop(running, grace));
        }
        while ending.join_next().await.is_some() {}
    }
}

async fn stop(running: RunningPlugin, grace: Duration) {
    if let Some(supervisor) = running.supervisor {
        supervisor.shutdown(grace).await;
    }
}

impl MetricSink for Counters {
    fn increment(&self, kind: &str, _job_id: &str, name: &str, labels: &Value) {
        self.add(kind, name, labels);
    }
}

/// A host for each tick.
struct Hosts(HostServices);

impl HostProvider for Hosts {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        Arc::new(InProcessHost::new(self.0.clone(), tick.clone()))
    }
}
