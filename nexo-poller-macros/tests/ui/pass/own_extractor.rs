use nexo_poller::prelude::*;

struct Account(String);

impl FromTick<'_> for Account {
    async fn from_tick(ctx: &PollContext) -> Result<Self, PollerError> {
        Ok(Self(ctx.agent_id.clone()))
    }
}

#[poller(kind = "jira", main = false)]
async fn jira(account: Account) -> Result<TickAck, PollerError> {
    drop(account.0);
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
