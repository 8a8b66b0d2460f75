use nexo_poller::prelude::*;

/// Not this.
#[poller(kind = "jira", description = "This.", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.description(), "This.");
}
