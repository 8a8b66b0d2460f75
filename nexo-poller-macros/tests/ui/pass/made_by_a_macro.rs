use nexo_poller::prelude::*;

macro_rules! pollers {
    ($name:ident $kind:literal, $ticks:expr) => {
        #[poller(kind = $kind, max_concurrent_ticks = $ticks, main = false)]
        async fn $name() -> Result<TickAck, PollerError> {
            Ok(TickAck::new())
        }
    };
}

pollers!(jira "jira", 4);

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
