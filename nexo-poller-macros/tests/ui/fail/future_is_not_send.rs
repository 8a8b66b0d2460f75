use std::rc::Rc;

use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira(ctx: &PollContext) -> Result<TickAck, PollerError> {
    let seen = Rc::new(5);
    ctx.publish("a.b", &1).await?;
    drop(seen);
    Ok(TickAck::new())
}
