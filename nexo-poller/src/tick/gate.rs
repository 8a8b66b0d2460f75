use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// The hand on a tick that runs: it tells the author's code to end, and shuts the world to it. Clones are one gate.
///
/// It is apart from the tick's task on purpose. Code that blocks its thread cannot be aborted, only shut out, and that must
/// work from another thread.
#[derive(Debug, Clone)]
pub struct TickGate(Arc<Gate>);

/// One allocation for a tick. A clone of the token locks it, so only the author's code is given one.
#[derive(Debug)]
struct Gate {
    cancel: CancellationToken,
    closed: AtomicBool,
}

impl Default for TickGate {
    fn default() -> Self {
        Self::new(CancellationToken::new())
    }
}

impl TickGate {
    /// An open gate; `cancel` becomes the tick's `cancel` token.
    #[must_use]
    pub fn new(cancel: CancellationToken) -> Self {
        Self(Arc::new(Gate { cancel, closed: AtomicBool::new(false) }))
    }

    /// Tells the tick to end. Its host stays open: a tick that ends in good order may publish what it has.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// The tick is over: each further call of its host is refused.
    pub fn close(&self) {
        // The host first: whatever wakes up on `cancel` must find it closed.
        self.0.closed.store(true, Ordering::Release);
        self.0.cancel.cancel();
    }

    /// Whether the tick is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    pub(super) fn cancelled(&self) -> CancellationToken {
        self.0.cancel.clone()
    }

    pub(super) fn close_on_drop(self) -> CloseOnDrop {
        CloseOnDrop(self)
    }
}

/// Closes its gate when it goes out of scope, be it by a return, by a panic, or with the future that holds it.
pub(super) struct CloseOnDrop(TickGate);

impl CloseOnDrop {
    pub(super) fn gate(&self) -> &TickGate {
        &self.0
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
