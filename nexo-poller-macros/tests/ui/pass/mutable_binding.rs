use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira(Cursor(mut count): Cursor<u64>) -> Result<TickAck, PollerError> {
    count += 1;
    TickAck::with_cursor(&count)
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
