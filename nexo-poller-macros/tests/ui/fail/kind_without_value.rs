use nexo_poller::prelude::*;

#[poller(kind)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
