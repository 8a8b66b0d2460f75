use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn config() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
