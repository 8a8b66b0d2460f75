use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;

use super::caller::Caller;
use super::refusal::Refusal;
use crate::core::daemon::Daemon;

/// `GET /admin/events`: what happens to jobs, as it happens (server-sent events).
pub(super) async fn events(
    State(daemon): State<Arc<Daemon>>,
    Extension(caller): Extension<Caller>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let Some(listener) = daemon.feed.listen(caller.holds_token) else {
        let sentence =
            "too many listen to the events already: close a page or a stream; who shows the token has places apart";
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, sentence.to_owned()));
    };
    let stream = futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(Event::default().event(event.name).data(&event.data)), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}
