use nexo_poller::prelude::*;

#[poller(kind = "jira", pubish = ["a.b"])]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
