use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(_config: &Config<Value>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
