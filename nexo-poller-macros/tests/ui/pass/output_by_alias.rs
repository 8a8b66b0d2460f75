use nexo_poller::prelude::*;

type Outcome = Result<TickAck, PollerError>;

#[poller(kind = "jira", main = false)]
async fn jira() -> Outcome {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
