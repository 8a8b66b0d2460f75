use nexo_poller::prelude::*;

struct JiraConfig {
    project: String,
}

#[derive(Default)]
struct Seen {
    updated_after: Option<String>,
}

struct Http;

impl Http {
    async fn issues(&self, _project: &str, _after: Option<&str>) -> Vec<String> {
        Vec::new()
    }
}

/// Announces new issues.
#[poller(kind = "jira", publish = ["plugin.outbound.>"])]
async fn jira(
    ctx: &PollContext,
    Config(config): Config<JiraConfig>,
    Cursor(seen): Cursor<Seen>,
    State(http): State<Http>,
) -> Result<TickAck, PollerError> {
    for issue in http.issues(&config.project, seen.updated_after.as_deref()).await {
        ctx.publish("plugin.outbound.chat", &issue).await?;
    }
    Ok(TickAck::new())
}
