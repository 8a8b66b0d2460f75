use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false,)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
