use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async unsafe fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
