use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a plugin's process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
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
}

/// A plugin as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PluginStatus {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The kinds that it serves.
    pub kinds: Vec<String>,
    /// What its process is doing.
    pub state: PluginState,
    /// Why, in a sentence; empty while it is up.
    pub why: String,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// When the present process came up.
    pub up_since: Option<DateTime<Utc>>,
    /// Lines of its stdout that were no protocol.
    pub bad_lines: u64,
    /// Publishes outside its allowlist.
    pub refused_publishes: u64,
    /// Messages that it did not read in time.
    pub dropped_messages: u64,
    /// Messages that it published and that have not gone out, refused ones included.
    pub lost_publishes: u64,
    /// The last lines of its stderr, oldest first.
    pub last_stderr: Vec<String>,
}
