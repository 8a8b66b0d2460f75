#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]
//! A crate that is strict.

use nexo_poller::prelude::*;

/// A poller.
#[poller(kind = "jira", main = false)]
async fn jira() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
