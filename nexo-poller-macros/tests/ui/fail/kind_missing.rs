use nexo_poller::prelude::*;

#[poller(tick_timeout_secs = 5)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
