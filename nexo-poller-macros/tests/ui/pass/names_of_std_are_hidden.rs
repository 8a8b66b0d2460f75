use nexo_poller::prelude::*;

#[expect(dead_code, non_camel_case_types)]
mod hides {
    pub struct Option;
    pub struct Result;
    pub struct Box;
    pub struct Send;
    pub struct str_;
}
#[expect(unused_imports)]
use hides::{Box, Option, Result, Send};

#[poller(kind = "jira", main = false)]
async fn jira() -> std::result::Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
