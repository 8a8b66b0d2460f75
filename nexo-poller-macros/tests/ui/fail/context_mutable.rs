use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(_ctx: &mut PollContext) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
