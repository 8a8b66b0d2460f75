use nexo_poller::prelude::*;

#[poller(kind = "jira", publish = "a.b")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
