use nexo_poller::prelude::*;

#[poller(kind = "jira", zebra = 1)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
