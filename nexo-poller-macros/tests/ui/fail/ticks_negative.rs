use nexo_poller::prelude::*;

#[poller(kind = "jira", max_concurrent_ticks = -1)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
