//! A plugin whose ticks take no time, for the benchmark of the daemon.

use nexo_poller::prelude::*;

/// Counts its ticks.
#[expect(clippy::unused_async, reason = "a source would be asked here")]
#[poller(kind = "quick", max_concurrent_ticks = 64)]
async fn quick(Cursor(count): Cursor<u64>) -> Result<TickAck, PollerError> {
    TickAck::with_cursor(&(count + 1))
}
