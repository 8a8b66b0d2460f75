use nexo_poller::prelude::*;

struct Mine;

#[poller(kind = "jira")]
async fn jira(_ctx: &PollContext, _mine: Mine) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
