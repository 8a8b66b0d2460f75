use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn r#type() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Type.kind(), "jira");
}
