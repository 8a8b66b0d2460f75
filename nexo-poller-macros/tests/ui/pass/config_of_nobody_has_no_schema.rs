use nexo_poller::manifest::DeclaredPoller;
use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert!(Jira::config_schema().is_none());
}
