use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::contract::{KindError, Poller, check_kind};
use crate::tick::PublishList;

/// The pollers that jobs can name. Cheap to clone; kinds may come and go while a runner runs.
#[derive(Clone)]
pub struct PollerRegistry {
    kinds: Arc<Mutex<HashMap<String, RegisteredKind>>>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

/// What a kind may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KindLimits {
    /// Ticks of this kind that run at once.
    pub max_concurrent_ticks: usize,
    /// A tick is cancelled after this, and abandoned a little later.
    pub tick_timeout: Duration,
    /// The poller only asks somebody else to run the tick, a plugin for one, and ends when it is known to be over there. A tick
    /// that is abandoned is still waited for: the job does not run again, here or elsewhere, while its old tick may be at work.
    pub runs_elsewhere: bool,
}

/// Why a kind was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is none.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// Somebody else is registered under it.
    #[error("kind `{kind}` is registered already; unregister it first, or give one of the two another name")]
    Duplicate {
        /// The kind.
        kind: String,
    },
}

#[derive(Clone)]
pub(crate) struct RegisteredKind {
    pub(crate) poller: Arc<dyn Poller>,
    pub(crate) limits: KindLimits,
    pub(crate) publish: PublishList,
}

impl KindLimits {
    /// So many ticks at once, and so long for each.
    #[must_use]
    pub const fn new(max_concurrent_ticks: usize, tick_timeout: Duration) -> Self {
        Self { max_concurrent_ticks, tick_timeout, runs_elsewhere: false }
    }

    /// The same for a poller that asks somebody else to run its ticks: see [`runs_elsewhere`](Self::runs_elsewhere).
    #[must_use]
    pub const fn elsewhere(self) -> Self {
        Self { runs_elsewhere: true, ..self }
    }
}

impl Default for KindLimits {
    fn default() -> Self {
        Self::new(1, Duration::from_secs(60))
    }
}

impl PollerRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self { kinds: Arc::default(), changes: watch::Sender::new(0) }
    }

    /// Makes `poller` available to jobs of its kind. Its ticks may publish whatever their host takes.
    ///
    /// # Errors
    /// [`RegistryError`] where the kind is no kind, or is taken.
    pub fn register(&self, poller: Arc<dyn Poller>, limits: KindLimits) -> Result<(), RegistryError> {
        self.enter(poller, limits, PublishList::everything())
    }

    /// As [`register`](Self::register), for a poller whose ticks may publish on topics that match one of the patterns in
    /// `publish` only: what its declaration says. They hear [`HostError::NotAllowed`](crate::contract::HostError::NotAllowed)
    /// for any other topic, as they would in a plugin.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_publishing<S: Into<String>>(
        &self,
        poller: Arc<dyn Poller>,
        limits: KindLimits,
        publish: impl IntoIterator<Item = S>,
    ) -> Result<(), RegistryError> {
        self.enter(poller, limits, PublishList::of(publish))
    }

    fn enter(&self, poller: Arc<dyn Poller>, limits: KindLimits, publish: PublishList) -> Result<(), RegistryError> {
        let kind = poller.kind();
        check_kind(kind)?;
        {
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            if kinds.contains_key(kind) {
                return Err(RegistryError::Duplicate { kind: kind.to_owned() });
            }
            kinds.insert(kind.to_owned(), RegisteredKind { poller, limits, publish });
        }
        self.changes.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Takes a kind away; its jobs wait until it is back. Whether it was there.
    pub fn unregister(&self, kind: &str) -> bool {
        let removed = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).remove(kind).is_some();
        if removed {
            self.changes.send_modify(|changes| *changes += 1);
        }
        removed
    }

    /// The poller of `kind`.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<Arc<dyn Poller>> {
        self.entry(kind).map(|entry| entry.poller)
    }

    /// The registered kinds, in alphabetical order.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<_> = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        kinds.sort_unstable();
        kinds
    }

    pub(crate) fn entry(&self, kind: &str) -> Option<RegisteredKind> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Default for PollerRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for PollerRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollerRegistry").field("kinds", &self.kinds()).finish()
    }
}
