use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(ctx: &PollContext) -> Result<TickAck, String> {
    Ok(TickAck::new())
}
