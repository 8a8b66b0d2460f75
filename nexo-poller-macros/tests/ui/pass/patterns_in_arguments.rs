use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    url: String,
    #[serde(default)]
    _rest: Option<u8>,
}

#[poller(kind = "jira", main = false)]
async fn jira(Config(Settings { url, .. }): Config<Settings>) -> Result<TickAck, PollerError> {
    drop(url);
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(Jira.kind(), "jira");
}
