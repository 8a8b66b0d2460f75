use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn jira() -> TickAck {
    TickAck::new()
}
