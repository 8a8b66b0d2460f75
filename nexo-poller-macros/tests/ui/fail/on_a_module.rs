use nexo_poller::prelude::*;

#[poller(kind = "jira")]
mod jira {}
