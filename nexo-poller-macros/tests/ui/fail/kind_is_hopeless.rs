use nexo_poller::prelude::*;

#[poller(kind = "7")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
