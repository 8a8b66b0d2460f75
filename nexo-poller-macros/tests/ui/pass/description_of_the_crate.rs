use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    // Nothing is said, so the manifest takes what Cargo.toml says; where that is nothing too, the kind's own name.
    let manifest = PollerHandler::new().with(Jira).manifest().unwrap();
    let expected = match env!("CARGO_PKG_DESCRIPTION") {
        "" => "Jira Poller",
        said => said,
    };
    assert_eq!((Jira.description(), manifest.plugin.description.as_str()), ("", expected));
}
