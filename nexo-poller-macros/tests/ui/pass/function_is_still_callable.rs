use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira(Cursor(count): Cursor<u64>) -> Result<TickAck, PollerError> {
    TickAck::with_cursor(&(count + 1))
}

fn main() {
    drop(jira(Cursor(1)));
}
