use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(&self) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
