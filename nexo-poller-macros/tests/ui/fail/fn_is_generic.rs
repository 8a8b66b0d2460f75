use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira<T>() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
