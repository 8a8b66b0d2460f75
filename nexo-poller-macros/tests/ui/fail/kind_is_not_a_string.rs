use nexo_poller::prelude::*;

#[poller(kind = jira)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
