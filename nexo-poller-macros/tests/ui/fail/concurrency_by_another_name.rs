use nexo_poller::prelude::*;

#[poller(kind = "jira", concurrency = 4)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
