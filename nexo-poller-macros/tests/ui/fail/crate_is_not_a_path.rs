use nexo_poller::prelude::*;

#[poller(kind = "jira", crate = 5)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
