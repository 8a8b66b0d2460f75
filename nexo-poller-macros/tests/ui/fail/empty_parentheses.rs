use nexo_poller::prelude::*;

#[poller()]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
