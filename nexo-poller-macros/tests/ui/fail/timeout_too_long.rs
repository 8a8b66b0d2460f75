use nexo_poller::prelude::*;

#[poller(kind = "jira", tick_timeout_secs = 3601)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
