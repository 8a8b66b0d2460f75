use nexo_poller::prelude::*;

struct Seen;

#[poller(kind = "jira")]
async fn jira(_seen: Cursor<Seen>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
