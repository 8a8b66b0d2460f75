use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn Jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
