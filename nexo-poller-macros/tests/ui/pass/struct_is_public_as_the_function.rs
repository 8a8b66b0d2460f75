use nexo_poller::prelude::*;

mod inner {
    use nexo_poller::prelude::*;

    /// Documented.
    #[poller(kind = "jira", main = false)]
    pub(crate) async fn jira() -> Result<TickAck, PollerError> {
        Ok(TickAck::new())
    }
}

use inner::Jira;

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
