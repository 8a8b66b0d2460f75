use nexo_poller::prelude::*;

#[poller("jira")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
