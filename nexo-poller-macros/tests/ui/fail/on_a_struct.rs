use nexo_poller::prelude::*;

#[poller(kind = "jira")]
struct Jira;
