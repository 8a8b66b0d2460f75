use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira() -> std::result::Result<nexo_poller::contract::TickAck, nexo_poller::contract::PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
