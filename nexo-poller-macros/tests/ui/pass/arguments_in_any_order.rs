use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira(_cancel: CancellationToken, Cursor(_seen): Cursor<u64>, _ctx: &PollContext, Config(_any): Config<Value>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
