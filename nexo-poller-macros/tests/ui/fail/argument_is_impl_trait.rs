use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(_x: impl Send) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
