use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PollerError;

/// What a tick that succeeded gives back to the runner.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::prelude::*;
///
/// # fn main() -> Result<(), PollerError> {
/// // Nothing new: the cursor stays where it is.
/// let ack = TickAck::new();
/// assert_eq!(ack.next_cursor, None);
///
/// // Five items seen, two announced, resume after number 42, look again in ten seconds (once).
/// let ack = TickAck::with_cursor(&42)?.items(5, 2).next_in(Duration::from_secs(10));
/// assert_eq!(ack.next_cursor.as_deref(), Some(b"42".as_slice()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TickAck {
    /// Where the next tick resumes. `None` keeps the old cursor; an empty one resets it. At most [`MAX_CURSOR`](super::MAX_CURSOR)
    /// bytes; a tick that returns more fails, and its job is paused.
    pub next_cursor: Option<Vec<u8>>,
    /// When to come back, for the upcoming slot only. `None` follows the schedule.
    pub next_interval_hint: Option<Duration>,
    /// How many items the tick saw and dispatched.
    pub metrics: Option<TickMetrics>,
}

/// Shows no cursor: it may hold a secret.
impl fmt::Debug for TickAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickAck")
            .field("next_cursor_bytes", &self.next_cursor.as_ref().map(Vec::len))
            .field("next_interval_hint", &self.next_interval_hint)
            .field("metrics", &self.metrics)
            .finish()
    }
}

/// Item counts of one tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TickMetrics {
    /// Items that the source returned.
    #[serde(default)]
    pub items_seen: u32,
    /// Items that were published.
    #[serde(default)]
    pub items_dispatched: u32,
}

impl TickAck {
    /// An acknowledgement that keeps the old cursor.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An acknowledgement whose next cursor is `cursor` as JSON, as [`Cursor<T>`](super::Cursor) reads it back.
    ///
    /// # Errors
    /// [`PollerError::Permanent`] where `cursor` cannot be written as JSON (a map whose keys are not strings, say).
    pub fn with_cursor<T: Serialize + ?Sized>(cursor: &T) -> Result<Self, PollerError> {
        let bytes = serde_json::to_vec(cursor)
            .map_err(|error| PollerError::permanent(format!("the next cursor cannot be written as JSON: {error}")))?;
        Ok(Self { next_cursor: Some(bytes), ..Self::default() })
    }

    /// Forgets the cursor: the next tick starts as if it were the first.
    #[must_use]
    pub fn reset_cursor(mut self) -> Self {
        self.next_cursor = Some(Vec::new());
        self
    }

    /// Sets how many items were seen and how many of them were dispatched.
    #[must_use]
    pub fn items(mut self, seen: usize, dispatched: usize) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.metrics = Some(TickMetrics { items_seen: count(seen), items_dispatched: count(dispatched) });
        self
    }

    /// Asks for the next tick after `delay` instead of the schedule's next slot, once.
    #[must_use]
    pub fn next_in(mut self, delay: Duration) -> Self {
        self.next_interval_hint = Some(delay);
        self
    }
}
