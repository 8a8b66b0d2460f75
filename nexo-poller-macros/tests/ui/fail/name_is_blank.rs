use nexo_poller::prelude::*;

#[poller(kind = "jira", name = " ")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
