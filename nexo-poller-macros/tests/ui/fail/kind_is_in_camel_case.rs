use nexo_poller::prelude::*;

#[poller(kind = "JiraCloud")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
