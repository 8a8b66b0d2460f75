use nexo_poller::prelude::*;

#[poller]
async fn google_calendar() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
