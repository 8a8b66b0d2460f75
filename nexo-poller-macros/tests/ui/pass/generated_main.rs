use nexo_poller::prelude::*;

#[poller(kind = "quiet")]
async fn quiet() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
