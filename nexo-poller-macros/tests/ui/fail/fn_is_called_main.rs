use nexo_poller::prelude::*;

#[poller(kind = "jira")]
async fn main() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
