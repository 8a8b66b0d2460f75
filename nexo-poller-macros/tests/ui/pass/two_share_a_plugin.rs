use nexo_poller::prelude::*;

#[poller(kind = "jira", plugin_id = "desk", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

#[poller(kind = "rss", main = false)]
async fn rss() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    let plugin = PollerHandler::new().with(Jira).with(Rss).manifest().unwrap().plugin;
    assert_eq!((plugin.id.as_str(), plugin.poller.unwrap().kinds), ("desk", vec!["jira".to_owned(), "rss".to_owned()]));
}
