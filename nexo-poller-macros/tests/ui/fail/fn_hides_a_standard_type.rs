use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn option() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
