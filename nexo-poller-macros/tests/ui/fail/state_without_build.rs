use nexo_poller::prelude::*;

struct Http;

#[poller(kind = "jira")]
async fn jira(_http: State<Http>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
