use nexo_poller::prelude::*;

#[poller(kind = "a_kind_that_goes_on_and_on_and_on")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
