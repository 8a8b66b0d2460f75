use nexo_poller::prelude::*;

#[poller(kind = "jira", topic_prefix = "plugin.*")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
