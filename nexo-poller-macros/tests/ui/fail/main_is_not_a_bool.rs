use nexo_poller::prelude::*;

#[poller(kind = "jira", main = "no")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
