use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    // Nothing is said, so the manifest takes what Cargo.toml says.
    let manifest = PollerHandler::new().with(Jira).manifest().unwrap();
    assert_eq!((Jira.description(), manifest.plugin.description.as_str()), ("", env!("CARGO_PKG_DESCRIPTION")));
}
