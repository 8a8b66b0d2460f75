use nexo_poller::prelude::*;

#[poller(kind = "jira", lifecycle = "long-lived")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
