use nexo_poller::prelude::*;

#[poller(kind = "jira", plugin_id = "Jira Plugin")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
