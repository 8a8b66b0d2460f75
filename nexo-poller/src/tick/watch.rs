use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use super::TickGate;

/// Waits until `tick` ends, at most as long as it may take. `stop` comes when the tick has had its time, and says how much
/// longer it may go on once it is cancelled. `None`: it did not end within that either. Its host is closed then, and it is the
/// caller's to drop or to abort.
///
/// `tick` is the tick itself or the handle of its task; where code may block its thread it has to be the latter, because
/// nothing but another thread can notice that.
pub async fn watch<T>(
    tick: impl Future<Output = T>,
    gate: &TickGate,
    stop: impl Future<Output = Duration>,
) -> Option<T> {
    let mut tick = pin!(tick);
    let grace = tokio::select! {
        // What has ended counts, also where its time is over in the same moment.
        biased;
        ended = &mut tick => return Some(ended),
        grace = stop => grace,
    };
    gate.cancel();
    let ended = timeout(grace, &mut tick).await.ok();
    if ended.is_none() {
        gate.close();
    }
    ended
}
