extern crate nexo_poller as np;

#[np::poller(kind = "jira", main = false, crate = np)]
async fn jira() -> Result<np::contract::TickAck, np::contract::PollerError> {
    Ok(np::contract::TickAck::new())
}

fn main() {
    assert_eq!(np::contract::Poller::kind(&Jira), "jira");
}
