use std::process::ExitCode;
use std::sync::Arc;

use crate::contract::Poller;
use crate::manifest::{Declaration, DeclaredPoller};

/// The pollers of one plugin.
#[derive(Default)]
pub struct PollerHandler {
    entries: Vec<(Declaration, Arc<dyn Poller>)>,
}

impl PollerHandler {
    /// A handler without pollers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a poller.
    #[must_use]
    pub fn with<P: DeclaredPoller>(mut self, poller: P) -> Self {
        self.entries.push((P::DECLARATION, Arc::new(poller)));
        self
    }

    /// Runs the plugin's command line.
    #[must_use]
    pub fn main(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}
