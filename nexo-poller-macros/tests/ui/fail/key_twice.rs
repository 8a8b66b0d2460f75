use nexo_poller::prelude::*;

#[poller(kind = "jira", kind = "jira")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
