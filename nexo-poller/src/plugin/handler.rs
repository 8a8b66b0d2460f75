use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::ticks::{ServedKind, TickGrace, TickRunner};
use crate::manifest::{Declaration, DeclarationConflict, DeclaredPoller, Manifest, manifest_of};
use crate::tick::PublishList;

/// The pollers of one plugin. `#[poller]` on a single function makes one by itself; several share a plugin like this:
///
/// ```no_run
/// # use nexo_poller::prelude::*;
/// # #[poller(kind = "gmail", main = false)]
/// # async fn gmail(_: &PollContext) -> Result<TickAck, PollerError> { Ok(TickAck::new()) }
/// # #[poller(kind = "google_calendar", plugin_id = "gmail", main = false)]
/// # async fn calendar(_: &PollContext) -> Result<TickAck, PollerError> { Ok(TickAck::new()) }
/// fn main() -> std::process::ExitCode {
///     PollerHandler::new().with(Gmail).with(Calendar).main()
/// }
/// ```
///
/// A [`Poller`](crate::contract::Poller) that is written by hand is added as a [`DeclaredPoller`].
#[derive(Default)]
pub struct PollerHandler {
    kinds: Vec<ServedKind>,
}

impl fmt::Debug for PollerHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollerHandler")
            .field("kinds", &self.kinds.iter().map(|kind| kind.declaration.kind).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
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
        let mut declaration = P::DECLARATION;
        if declaration.description.is_empty() {
            declaration.description = poller.description();
        }
        self.kinds.push(ServedKind { declaration, poller: Arc::new(poller), schema: P::config_schema });
        self
    }

    /// The plugin's manifest.
    ///
    /// # Errors
    /// [`DeclarationConflict`] where the pollers cannot share one plugin.
    pub fn manifest(&self) -> Result<Manifest, DeclarationConflict> {
        for ServedKind { declaration, poller, .. } in &self.kinds {
            if poller.kind() != declaration.kind {
                return Err(DeclarationConflict::OtherKind {
                    kind: poller.kind().to_owned(),
                    declared: declaration.kind.to_owned(),
                });
            }
        }
        let declarations: Vec<Declaration> = self.kinds.iter().map(|kind| kind.declaration).collect();
        manifest_of(&declarations)
    }

    /// What runs the pollers' ticks, in tasks on `authors`. That should not be the runtime that carries the protocol:
    /// a tick may block it.
    #[must_use]
    pub fn ticks(&self, authors: Handle, grace: TickGrace) -> TickRunner {
        // Pollers that cannot share a manifest are served by nobody: what makes the manifest says so.
        let publish = self.manifest().map(|manifest| manifest.plugin.capabilities.broker.publish).unwrap_or_default();
        TickRunner::new(self.kinds.clone(), PublishList::of(publish), authors, grace)
    }

    pub(super) fn kinds(&self) -> &[ServedKind] {
        &self.kinds
    }
}
