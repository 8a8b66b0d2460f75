use nexo_poller::prelude::*;

#[poller(kind = 5)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
