use std::sync::Arc;

use nexo_poller::runner::{Observer, RunnerEvent, RunnerEventKind};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

/// Who reads more slowly than so many events are made is told how many it has missed.
const KEPT: usize = 4_096;
/// Readers at once, of those who know the admin token and of all others: each is a socket that stays open, and any user of the
/// machine may hold some.
const MOST_READERS: usize = 64;

/// What happens to jobs, for whoever listens to the event stream. Nothing is kept for nobody.
pub(crate) struct Feed {
    events: broadcast::Sender<Arc<FeedEvent>>,
    /// For those who know the token.
    reserved: Arc<Semaphore>,
    /// For everybody.
    open: Arc<Semaphore>,
}

/// One event, as it is sent.
#[derive(Debug)]
pub(crate) struct FeedEvent {
    /// Its name: `started`, `ended`, `changed` …
    pub(crate) name: &'static str,
    /// Its JSON object.
    pub(crate) data: String,
}

/// One that listens.
pub(crate) struct Listener {
    events: broadcast::Receiver<Arc<FeedEvent>>,
    _place: OwnedSemaphorePermit,
}

impl Default for Feed {
    fn default() -> Self {
        let places = || Arc::new(Semaphore::new(MOST_READERS));
        Self { events: broadcast::Sender::new(KEPT), reserved: places(), open: places() }
    }
}

impl Feed {
    /// What the runner tells.
    pub(crate) fn observer(&self) -> Observer {
        let events = self.events.clone();
        Observer::new(move |event| {
            // The engine waits for this: without a listener it costs one look.
            if events.receiver_count() > 0
                && let Some((name, what)) = described(event)
            {
                // The last listener may just have gone.
                let _ = events.send(Arc::new(FeedEvent { name, data: what.to_string() }));
            }
        })
    }

    /// Listens from now on; `None` where too many do.
    pub(crate) fn listen(&self, holds_token: bool) -> Option<Listener> {
        let places = if holds_token { &self.reserved } else { &self.open };
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Listener { events: self.events.subscribe(), _place: place })
    }
}

impl Listener {
    /// The next event; `None` when the daemon ends.
    pub(crate) async fn next(&mut self) -> Option<Arc<FeedEvent>> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => {
                Some(Arc::new(FeedEvent { name: "missed", data: json!({ "count": count }).to_string() }))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// An event's name and content; `None` for what concerns no reader.
fn described(event: &RunnerEvent<'_>) -> Option<(&'static str, Value)> {
    let (at, job) = (event.at, event.job);
    Some(match event.what {
        RunnerEventKind::Started { run_key, attempt, manual, .. } => {
            ("started", json!({ "at": at, "job": job, "run_key": run_key, "attempt": attempt, "by_hand": manual }))
        }
        RunnerEventKind::Ended { run_key, outcome, error, state, .. } => (
            "ended",
            json!({
                "at": at, "job": job, "run_key": run_key, "outcome": outcome, "error": error,
                "paused": state.pause.is_some(),
            }),
        ),
        RunnerEventKind::Void { run_key, reason } => {
            ("void", json!({ "at": at, "job": job, "run_key": run_key, "reason": reason }))
        }
        RunnerEventKind::Skipped { count, .. } => ("skipped", json!({ "at": at, "job": job, "count": count })),
        RunnerEventKind::Held { owner, until } => {
            ("held", json!({ "at": at, "job": job, "owner": owner, "until": until }))
        }
        RunnerEventKind::TookOver => ("took_over", json!({ "at": at, "job": job })),
        RunnerEventKind::Changed { state, .. } => {
            let paused = state.pause.as_ref().map(|pause| json!({ "reason": pause.reason, "by": pause.by }));
            ("changed", json!({ "at": at, "job": job, "paused": paused }))
        }
        RunnerEventKind::ClockSet { by_ms } => ("clock_set", json!({ "at": at, "by_ms": by_ms })),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_all_places_of_strangers_keeps_no_holder_of_the_token_out() {
        let feed = Feed::default();
        let strangers: Vec<Listener> = std::iter::from_fn(|| feed.listen(false)).collect();
        assert_eq!(strangers.len(), MOST_READERS);
        assert!(feed.listen(true).is_some());
        drop(strangers);
        assert!(feed.listen(false).is_some());
    }
}
