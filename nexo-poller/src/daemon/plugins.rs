use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::counters::Counters;
use super::plugin_set::PluginSet;
use crate::broker::Broker;
use crate::contract::{PollerHost, Redact};
use crate::host::{CredentialResolver, HostServices, InProcessHost, MetricSink, Tick};
use crate::router::{PluginBinary, PluginKind, PluginPollerRouter, PluginState, Supervisor, SupervisorOptions};
use crate::runner::{HostProvider, KindLimits, PollerRegistry, TickIdentity};

/// A plugin that a reload removes may take this long to end.
const REMOVE_GRACE: Duration = Duration::from_secs(5);

/// A plugin's figure, by its name in the metrics.
type Figure = (&'static str, fn(&PluginReport) -> u64);

const FIGURES: [Figure; 4] = [
    ("restarts", |plugin| plugin.restarts),
    ("bad_lines", |plugin| plugin.bad_lines),
    ("refused_publishes", |plugin| plugin.refused_publishes),
    ("dropped_messages", |plugin| plugin.dropped_messages),
];

/// The plugins that run.
pub(super) struct Plugins {
    router: PluginPollerRouter,
    registry: PollerRegistry,
    services: HostServices,
    counters: Arc<Counters>,
    running: Mutex<BTreeMap<String, Running>>,
    /// Tasks that offer a plugin's kinds once it has come up.
    offering: Mutex<JoinSet<()>>,
}

struct Running {
    binary: PluginBinary,
    file: Option<FileMark>,
    kinds: Vec<String>,
    /// None for a plugin that has a process per tick only.
    supervisor: Option<Arc<Supervisor>>,
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
    fn of(binary: &PluginBinary) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(&binary.program).ok()?;
        Some(Self { inode: metadata.ino(), bytes: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// One plugin, as `GET /admin/plugins` shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PluginReport {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) kinds: Vec<String>,
    pub(super) state: String,
    pub(super) why: String,
    pub(super) pid: Option<u32>,
    pub(super) restarts: u64,
    pub(super) bad_lines: u64,
    pub(super) refused_publishes: u64,
    pub(super) dropped_messages: u64,
}

impl PluginReport {
    /// Whether it serves ticks.
    pub(super) fn is_well(&self) -> bool {
        matches!(self.state.as_str(), "up" | "ephemeral")
    }
}

impl Plugins {
    pub(super) fn new(
        broker: Arc<dyn Broker>,
        registry: PollerRegistry,
        credentials: Arc<dyn CredentialResolver>,
        redact: Redact,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let metrics = Arc::clone(&counters) as Arc<dyn MetricSink>;
        let services =
            HostServices { broker: Arc::clone(&broker), credentials, metrics, llm: None, redact: redact.clone() };
        Self {
            router: PluginPollerRouter::new(broker).with_redact(redact),
            registry,
            services,
            counters,
            running: Mutex::default(),
            offering: Mutex::default(),
        }
    }

    /// Where ticks get their hosts.
    pub(super) fn hosts(&self) -> Arc<dyn HostProvider> {
        Arc::new(Hosts(self.services.clone()))
    }

    /// Starts the plugins of `set` that do not run yet; those whose binary or manifest is another now are started anew.
    pub(super) async fn add(&self, set: &PluginSet) {
        for binary in &set.found {
            let id = &binary.manifest.plugin.id;
            let known = {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.get(id).map(|running| running.binary == *binary && running.file == FileMark::of(binary))
            };
            match known {
                Some(true) => continue,
                Some(false) => self.remove(id).await,
                None => {}
            }
            self.start(binary);
        }
    }

    fn start(&self, binary: &PluginBinary) {
        let id = binary.manifest.plugin.id.clone();
        let kinds = match self.router.register(binary) {
            Ok(kinds) => kinds,
            // A reload that moves a kind from one plugin to another: the old one is still there. The next reload has it.
            Err(error) => return tracing::error!("{error}; reload again once the first is gone"),
        };
        let names = kinds.iter().map(|kind| kind.kind.clone()).collect();
        let long_lived = binary
            .manifest
            .plugin
            .poller
            .as_ref()
            .is_none_or(|poller| poller.lifecycle == crate::manifest::Lifecycle::LongLived);
        let supervisor =
            long_lived.then(|| Arc::new(Supervisor::start(binary.clone(), &self.router, SupervisorOptions::default())));
        let waiting = supervisor.clone();
        let registry = self.registry.clone();
        // Its jobs wait until it is up, or has failed: then they report why.
        let offer = async move {
            if let Some(supervisor) = waiting {
                supervisor.settled().await;
            }
            for kind in kinds {
                offer(&registry, kind);
            }
        };
        self.offering.lock().unwrap_or_else(PoisonError::into_inner).spawn(offer);
        let running = Running { binary: binary.clone(), file: FileMark::of(binary), kinds: names, supervisor };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, running);
    }

    /// Ends the plugins that `set` has no more.
    pub(super) async fn retain(&self, set: &PluginSet) {
        let gone: Vec<String> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let stays = |id: &&String| set.found.iter().any(|binary| binary.manifest.plugin.id == **id);
            running.keys().filter(|id| !stays(id)).cloned().collect()
        };
        for id in gone {
            self.remove(&id).await;
        }
    }

    async fn remove(&self, id: &str) {
        let removed = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(removed) = removed else { return };
        // It may not be offered after it was taken away.
        self.settled(REMOVE_GRACE).await;
        for kind in &removed.kinds {
            self.registry.unregister(kind);
        }
        stop(removed, REMOVE_GRACE).await;
        self.router.remove(id);
        tracing::info!(plugin = id, "removed");
    }

    /// Waits until every plugin has come up or failed, for `limit` at most.
    pub(super) async fn settled(&self, limit: Duration) {
        let mut offering = std::mem::take(&mut *self.offering.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while offering.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            // Who is late is offered all the same.
            let mut later = self.offering.lock().unwrap_or_else(PoisonError::into_inner);
            later.spawn(async move { while offering.join_next().await.is_some() {} });
        }
    }

    pub(super) fn report(&self) -> Vec<PluginReport> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().map(report).collect()
    }

    /// Figures of plugins and the counters of pollers, in OpenMetrics text without an end mark.
    pub(super) fn write_metrics(&self, text: &mut String) {
        self.counters.write_metrics(text);
        let plugins = self.report();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE poller_plugin_up gauge");
        for plugin in &plugins {
            let up = u8::from(plugin.is_well());
            let _ = writeln!(text, "poller_plugin_up{{plugin=\"{}\"}} {up}", plugin.id);
        }
        for (name, figure) in FIGURES {
            let _ = writeln!(text, "# TYPE poller_plugin_{name} counter");
            for plugin in &plugins {
                let _ = writeln!(text, "poller_plugin_{name}_total{{plugin=\"{}\"}} {}", plugin.id, figure(plugin));
            }
        }
    }

    /// Ends all of them at once.
    pub(super) async fn shutdown(&self, grace: Duration) {
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

async fn stop(running: Running, grace: Duration) {
    // Where somebody still waits for it to come up, dropping it kills it.
    if let Some(supervisor) = running.supervisor.and_then(Arc::into_inner) {
        supervisor.shutdown(grace).await;
    }
}

fn offer(registry: &PollerRegistry, kind: PluginKind) {
    let limits = KindLimits {
        max_concurrent_ticks: usize::try_from(kind.max_concurrent_ticks).unwrap_or(usize::MAX),
        tick_timeout: Duration::from_secs(kind.tick_timeout_secs.into()),
    };
    if let Err(error) = registry.register(kind.poller, limits) {
        tracing::error!(plugin = kind.plugin, "{error}");
    }
}

fn report(running: &Running) -> PluginReport {
    let plugin = &running.binary.manifest.plugin;
    let status = running.supervisor.as_ref().map(|supervisor| supervisor.status());
    PluginReport {
        id: plugin.id.clone(),
        version: plugin.version.clone(),
        kinds: running.kinds.clone(),
        state: word(status.as_ref().map_or(PluginState::Ephemeral, |status| status.state)).to_owned(),
        why: status.as_ref().map(|status| status.why.clone()).unwrap_or_default(),
        pid: status.as_ref().and_then(|status| status.pid),
        restarts: status.as_ref().map_or(0, |status| status.restarts),
        bad_lines: status.as_ref().map_or(0, |status| status.bad_lines),
        refused_publishes: status.as_ref().map_or(0, |status| status.refused_publishes),
        dropped_messages: status.as_ref().map_or(0, |status| status.dropped_messages),
    }
}

fn word(state: PluginState) -> &'static str {
    match state {
        PluginState::Starting => "starting",
        PluginState::Up => "up",
        PluginState::Restarting => "restarting",
        PluginState::Stopped => "stopped",
        PluginState::Ephemeral => "ephemeral",
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
        let tick = Tick {
            kind: tick.kind.to_owned(),
            job_id: tick.job_id.to_string(),
            agent_id: tick.agent_id.to_string(),
            cursor_before: tick.cursor_before.as_deref().map(<[u8]>::to_vec),
        };
        Arc::new(InProcessHost::new(self.0.clone(), tick))
    }
}
