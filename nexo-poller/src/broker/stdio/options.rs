use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::frame::DEFAULT_MAX_LINE;
use super::observer::BridgeObserver;
use crate::manifest::{Manifest, PluginGrants};

/// How the daemon treats the child on the other end.
#[derive(Clone)]
#[non_exhaustive]
pub struct ParentOptions {
    /// What the child is called until it has said who it is.
    pub label: String,
    /// The manifest that the child was found by, where there is one. It is what the operator has seen, so it is what is
    /// in force: the child must be the same plugin, and may ask for no topic beyond it.
    pub found: Option<Manifest>,
    /// What the operator allows the child beyond what every plugin may.
    pub grants: PluginGrants,
    /// The daemon's version, told in the handshake.
    pub nexo_version: String,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// The longest line that is accepted from the child.
    pub max_line: usize,
    /// Receives everything that the child does wrong.
    pub observer: Arc<dyn BridgeObserver>,
}

impl fmt::Debug for ParentOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentOptions")
            .field("label", &self.label)
            .field("nexo_version", &self.nexo_version)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("max_line", &self.max_line)
            .finish_non_exhaustive()
    }
}

impl Default for ParentOptions {
    fn default() -> Self {
        Self {
            label: "plugin".to_owned(),
            found: None,
            grants: PluginGrants::default(),
            nexo_version: env!("CARGO_PKG_VERSION").to_owned(),
            handshake_timeout: Duration::from_secs(10),
            max_line: DEFAULT_MAX_LINE,
            observer: Arc::new(()),
        }
    }
}
