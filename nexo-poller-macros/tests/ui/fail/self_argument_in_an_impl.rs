use nexo_poller::prelude::*;

struct Jira;

impl Jira {
    #[poller(kind = "jira")]
    async fn jira(&self) -> Result<TickAck, PollerError> {
        Ok(TickAck::new())
    }
}

fn main() {}
