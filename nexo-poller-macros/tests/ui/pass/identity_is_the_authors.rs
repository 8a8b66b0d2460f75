use nexo_poller::manifest::DeclaredPoller;
use nexo_poller::prelude::*;

#[poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    let package = Jira::DECLARATION.package;
    assert_eq!((package.name, package.version), (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
    assert!(!package.name.starts_with("nexo-poller-0") && package.name != "nexo-poller", "{}", package.name);
    assert_eq!(package.bin, option_env!("CARGO_BIN_NAME"));
}
