use nexo_poller::contract::{Poller, PollerError, TickAck};

#[nexo_poller::poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
