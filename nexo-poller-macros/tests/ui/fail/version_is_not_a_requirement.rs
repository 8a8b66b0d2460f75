use nexo_poller::prelude::*;

#[poller(kind = "jira", min_nexo_version = "newest")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
