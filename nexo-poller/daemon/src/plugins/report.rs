use std::fmt;

use nexo_poller::manifest::PluginSection;
use nexo_poller::router::{PluginState, PluginStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use schemars::JsonSchema;
use serde::Serialize;

/// What a plugin is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PluginActivity {
    /// Started, and not yet through its handshake.
    Starting,
    /// Serving.
    Up,
    /// Ended; to be started again.
    Restarting,
    /// Ended for good, because the daemon wants it so.
    Stopped,
    /// Without a process between ticks.
    Ephemeral,
    /// Kept up by others, over the broker.
    Remote,
}

/// One plugin, as `GET /admin/plugins` shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PluginReport {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) state: PluginActivity,
    pub(crate) why: String,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u64,
    pub(crate) bad_lines: u64,
    pub(crate) refused_publishes: u64,
    pub(crate) dropped_messages: u64,
    pub(crate) lost_publishes: u64,
}

impl PluginReport {
    /// What is to be said of `plugin`; `status` is that of its process, where it has one between ticks.
    pub(crate) fn of(plugin: &PluginSection, kinds: &[String], status: Option<PluginStatus>) -> Self {
        let known = status.as_ref();
        let figure = |figure: fn(&PluginStatus) -> u64| known.map_or(0, figure);
        Self {
            id: plugin.id.clone(),
            version: plugin.version.clone(),
            kinds: kinds.to_vec(),
            state: known.map_or(PluginActivity::Ephemeral, |status| status.state.into()),
            pid: known.and_then(|status| status.pid),
            restarts: figure(|status| status.restarts),
            bad_lines: figure(|status| status.bad_lines),
            refused_publishes: figure(|status| status.refused_publishes),
            dropped_messages: figure(|status| status.dropped_messages),
            lost_publishes: figure(|status| status.lost_publishes),
            why: status.map(|status| status.why).unwrap_or_default(),
        }
    }

    /// What is to be said of a plugin that others keep up.
    pub(crate) fn remote(plugin: &PluginSection, kinds: &[String]) -> Self {
        Self { state: PluginActivity::Remote, ..Self::of(plugin, kinds, None) }
    }

    /// Whether it serves ticks.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.state, PluginActivity::Up | PluginActivity::Ephemeral | PluginActivity::Remote)
    }
}

impl From<PluginState> for PluginActivity {
    fn from(state: PluginState) -> Self {
        match state {
            PluginState::Starting => Self::Starting,
            PluginState::Up => Self::Up,
            PluginState::Restarting => Self::Restarting,
            PluginState::Stopped => Self::Stopped,
            PluginState::Ephemeral => Self::Ephemeral,
        }
    }
}

impl fmt::Display for PluginActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Ephemeral => "ephemeral",
            Self::Remote => "remote",
        })
    }
}

/// A plugin's figure: its name in the metrics, what it is, where it stands.
type Figure = (&'static str, &'static str, fn(&PluginReport) -> u64);

const FIGURES: [Figure; 5] = [
    ("poller_plugin_restarts", "How often the plugin was started again.", |plugin| plugin.restarts),
    ("poller_plugin_bad_lines", "Lines of the plugin that were not messages.", |plugin| plugin.bad_lines),
    ("poller_plugin_refused_publishes", "Messages to topics that the plugin has no right to.", |plugin| {
        plugin.refused_publishes
    }),
    ("poller_plugin_dropped_messages", "Messages to the plugin that it was too slow for.", |plugin| {
        plugin.dropped_messages
    }),
    ("poller_plugin_lost_publishes", "Messages of the plugin that did not go out; their tick is repeated.", |plugin| {
        plugin.lost_publishes
    }),
];

/// The figures of these plugins at one moment.
#[derive(Debug)]
pub(crate) struct PluginFigures(pub(crate) Vec<PluginReport>);

impl Collector for PluginFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while the plugin serves ticks.";
        let mut up = encoder.encode_descriptor("poller_plugin_up", help, None, MetricType::Gauge)?;
        for plugin in &self.0 {
            let gauge = ConstGauge::new(i64::from(plugin.is_well()));
            gauge.encode(up.encode_family(&[("plugin", plugin.id.as_str())])?)?;
        }
        for (name, help, figure) in FIGURES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for plugin in &self.0 {
                let counter = ConstCounter::new(figure(plugin));
                counter.encode(family.encode_family(&[("plugin", plugin.id.as_str())])?)?;
            }
        }
        Ok(())
    }
}
