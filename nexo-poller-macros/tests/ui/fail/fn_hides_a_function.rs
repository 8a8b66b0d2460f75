use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn read_retry_after() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
