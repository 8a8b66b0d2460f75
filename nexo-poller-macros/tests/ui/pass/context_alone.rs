use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira(_: &PollContext) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
