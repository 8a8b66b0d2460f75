use nexo_poller::prelude::*;

#[poller(kind = "jira")]
#[cfg(any())]
async fn jira(_: Nothing) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    // Neither the function nor what is made of it is there.
}
