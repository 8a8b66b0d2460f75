use nexo_poller::prelude::*;

struct Jira;

#[poller(kind = "jira")]
impl Jira {}
