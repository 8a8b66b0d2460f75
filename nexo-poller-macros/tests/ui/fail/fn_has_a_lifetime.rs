use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira<'a>(_ctx: &'a PollContext) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
