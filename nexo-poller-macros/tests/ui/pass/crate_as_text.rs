use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false, crate = "::nexo_poller")]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
