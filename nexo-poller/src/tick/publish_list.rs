use std::sync::Arc;

use crate::contract::{HostError, matches};

/// The topics that a tick may publish on: what `publish = […]` of `#[poller]` and the manifest's list say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishList(Option<Arc<[String]>>);

impl PublishList {
    /// Whatever the host takes: for a poller without a declaration.
    #[must_use]
    pub fn everything() -> Self {
        Self(None)
    }

    /// The topics that match one of `patterns`.
    #[must_use]
    pub fn of<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self(Some(patterns.into_iter().map(Into::into).collect()))
    }

    /// Whether a tick may publish on `topic`.
    ///
    /// # Errors
    /// [`HostError::NotAllowed`] with the patterns that are.
    pub fn check(&self, topic: &str) -> Result<(), HostError> {
        match &self.0 {
            Some(patterns) if !patterns.iter().any(|pattern| matches(pattern, topic)) => {
                Err(HostError::NotAllowed { topic: topic.to_owned(), allowed: patterns.to_vec() })
            }
            _ => Ok(()),
        }
    }
}
