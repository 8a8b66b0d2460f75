use nexo_poller::prelude::*;

#[poller(kind = "jira")]
fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
