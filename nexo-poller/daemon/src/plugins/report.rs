use std::fmt::Write as _;

use nexo_poller::manifest::PluginSection;
use nexo_poller::router::{PluginState, PluginStatus};
use schemars::JsonSchema;
use serde::Serialize;

/// One plugin, as `GET /admin/plugins` shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PluginReport {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) state: String,
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
            state: word(known.map_or(PluginState::Ephemeral, |status| status.state)).to_owned(),
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
        Self { state: "remote".to_owned(), ..Self::of(plugin, kinds, None) }
    }

    /// Whether it serves ticks.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.state.as_str(), "up" | "ephemeral" | "remote")
    }
}

/// A plugin's figure, by its name in the metrics.
type Figure = (&'static str, fn(&PluginReport) -> u64);

const FIGURES: [Figure; 5] = [
    ("restarts", |plugin| plugin.restarts),
    ("bad_lines", |plugin| plugin.bad_lines),
    ("refused_publishes", |plugin| plugin.refused_publishes),
    ("dropped_messages", |plugin| plugin.dropped_messages),
    ("lost_publishes", |plugin| plugin.lost_publishes),
];

/// The figures of `plugins` in OpenMetrics text without an end mark.
pub(crate) fn write_metrics(plugins: &[PluginReport], text: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# TYPE poller_plugin_up gauge");
    for plugin in plugins {
        let up = u8::from(plugin.is_well());
        let _ = writeln!(text, "poller_plugin_up{{plugin=\"{}\"}} {up}", plugin.id);
    }
    for (name, figure) in FIGURES {
        let _ = writeln!(text, "# TYPE poller_plugin_{name} counter");
        for plugin in plugins {
            let _ = writeln!(text, "poller_plugin_{name}_total{{plugin=\"{}\"}} {}", plugin.id, figure(plugin));
        }
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
