use nexo_poller::prelude::*;

#[poller(kind = "jira", tick_timeout_secs = 99999999999999999999999)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
