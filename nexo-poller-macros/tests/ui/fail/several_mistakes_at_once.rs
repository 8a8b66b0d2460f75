use nexo_poller::prelude::*;

#[poller(kind = "Jira", max_concurrent_ticks = 99, lifecyle = "ephemeral", main = 1)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
