use nexo_poller::prelude::*;

#[poller(kind = "jira")]
const fn jira() -> Result<TickAck, PollerError> {
    loop {}
}
