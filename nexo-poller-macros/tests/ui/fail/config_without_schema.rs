use nexo_poller::prelude::*;

#[derive(Deserialize)]
struct JiraConfig {}

#[poller(kind = "jira")]
async fn jira(_config: Config<JiraConfig>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}
