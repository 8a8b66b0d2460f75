use crate::contract::{HostError, matches};
use crate::manifest::Manifest;

/// What a plugin may say, and under which name: the part of its manifest that every publish is held against. The daemon
/// checks again; here the author's own tick gets the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowlist {
    plugin_id: String,
    publish: Vec<String>,
}

impl Allowlist {
    /// The `publish` list of `manifest`.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        Self { plugin_id: manifest.plugin.id.clone(), publish: manifest.plugin.capabilities.broker.publish.clone() }
    }

    /// The plugin's id: the source of everything it publishes.
    #[must_use]
    pub fn plugin_id(&self) -> &str {
        &self.plugin_id
    }

    /// Whether a tick may publish on `topic`.
    ///
    /// # Errors
    /// [`HostError::NotAllowed`] with the patterns that are.
    pub fn check(&self, topic: &str) -> Result<(), HostError> {
        if self.publish.iter().any(|pattern| matches(pattern, topic)) {
            return Ok(());
        }
        Err(HostError::NotAllowed { topic: topic.to_owned(), allowed: self.publish.clone() })
    }
}
