use nexo_poller::prelude::*;

struct Mine;

#[poller(kind = "jira")]
async fn jira(ctx: &PollContext, mine: Mine) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
