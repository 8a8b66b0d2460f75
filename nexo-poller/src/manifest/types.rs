use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::topics;

/// The whole of `nexo-plugin.toml`. Made by [`Manifest::parse`], which validates it, or by [`manifest_of`](super::manifest_of) of what
/// pollers declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Always 2, also where it is left out.
    #[serde(default = "Manifest::version")]
    pub manifest_version: u32,
    /// `[plugin]`.
    pub plugin: PluginSection,
}

impl Manifest {
    /// 2.
    #[must_use]
    pub fn version() -> u32 {
        2
    }
}

/// `[plugin]`: who the plugin is. Tables that belong to other parts of a daemon are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginSection {
    /// `^[a-z][a-z0-9_]{0,63}$`. `#[poller]` makes none of more than 32.
    pub id: String,
    /// A semver version.
    pub version: String,
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// A semver requirement on the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_nexo_version: Option<String>,
    /// `[plugin.entrypoint]`; a plugin that somebody else starts needs none.
    #[serde(default, skip_serializing_if = "Entrypoint::is_absent")]
    pub entrypoint: Entrypoint,
    /// `[plugin.requires]`.
    #[serde(default)]
    pub requires: Requires,
    /// `[plugin.capabilities]`.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// `[plugin.poller]`; a plugin without it polls nothing (a channel, say).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poller: Option<PollerSection>,
}

impl PluginSection {
    /// Whether each tick gets a process of its own.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.poller.as_ref().is_some_and(|poller| poller.lifecycle == Lifecycle::Ephemeral)
    }
}

/// `[plugin.entrypoint]`: how to start it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entrypoint {
    /// A name on the PATH, or an absolute path.
    pub command: String,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables; none may begin with `NEXO_`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl Entrypoint {
    /// Whether the manifest has none.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        *self == Self::default()
    }
}

/// `[plugin.requires]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Requires {
    /// What the daemon must offer: `broker`.
    #[serde(default)]
    pub nexo_capabilities: Vec<String>,
}

/// `[plugin.capabilities]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// `[plugin.capabilities.broker]`.
    #[serde(default)]
    pub broker: BrokerCapability,
}

/// `[plugin.capabilities.broker]`: what the plugin asks to hear and say. A daemon gives it of that what it has a right to: its ticks,
/// its calls, answers, messages to channels, and what the operator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokerCapability {
    /// Topic patterns that the plugin asks to hear.
    #[serde(default)]
    pub subscribe: Vec<String>,
    /// Topic patterns that the plugin asks to publish on.
    #[serde(default)]
    pub publish: Vec<String>,
}

/// `[plugin.poller]`: what it polls. Unknown keys are an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PollerSection {
    /// The kinds that it serves: non-empty, unique, each `^[a-z][a-z0-9_]+$`.
    pub kinds: Vec<String>,
    /// Ticks arrive on `<broker_topic_prefix>.tick`.
    pub broker_topic_prefix: String,
    /// How the daemon runs it.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Ticks of one kind that may run at once: 1 to 64.
    #[serde(default = "PollerSection::default_max_concurrent_ticks")]
    pub max_concurrent_ticks: u32,
    /// The deadline of one tick, in seconds: 1 to 3600.
    #[serde(default = "PollerSection::default_tick_timeout_secs")]
    pub tick_timeout_secs: u32,
}

impl PollerSection {
    /// 1.
    #[must_use]
    pub fn default_max_concurrent_ticks() -> u32 {
        1
    }

    /// 60.
    #[must_use]
    pub fn default_tick_timeout_secs() -> u32 {
        60
    }

    /// The topic that tick requests arrive on.
    #[must_use]
    pub fn tick_topic(&self) -> String {
        topics::ticks(&self.broker_topic_prefix)
    }

    /// The topic on which a daemon says that it wants a tick to end.
    #[must_use]
    pub fn cancel_topic(&self) -> String {
        topics::cancels(&self.broker_topic_prefix)
    }
}

/// How the daemon runs a plugin's process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// One process, supervised, many ticks.
    #[default]
    LongLived,
    /// One process per tick.
    Ephemeral,
}

impl Lifecycle {
    /// The name in the manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongLived => "long_lived",
            Self::Ephemeral => "ephemeral",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
