use nexo_poller::prelude::*;

#[poller(kinds = ["jira", "rss"])]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
