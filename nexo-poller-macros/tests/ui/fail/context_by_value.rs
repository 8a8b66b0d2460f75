use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(_ctx: PollContext) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
