use nexo_poller::prelude::*;

#[poller(kind = "jira", every = "5m")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
