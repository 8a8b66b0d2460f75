use nexo_poller::manifest::{DeclaredPoller, Lifecycle};
use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JiraConfig {
    project: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Seen {
    after: Option<DateTime<Utc>>,
}

#[derive(Default)]
struct Http;

/// Announces issues updated
/// in a Jira project.
///
/// More about it.
#[poller(
    kind = "jira",
    publish = ["plugin.outbound.>", "news.*"],
    subscribe = ["jira.hook"],
    lifecycle = "ephemeral",
    max_concurrent_ticks = 64,
    tick_timeout_secs = 3600,
    plugin_id = "jira_plugin",
    name = "Jira",
    topic_prefix = "custom.jira",
    min_nexo_version = ">=0.3, <0.5",
    main = false,
)]
async fn jira(
    ctx: &PollContext,
    Config(config): Config<JiraConfig>,
    Cursor(seen): Cursor<Seen>,
    State(http): State<Http>,
    cancel: CancellationToken,
) -> Result<TickAck, PollerError> {
    let _ = (&ctx.job_id, config.project, seen.after, http, cancel);
    TickAck::with_cursor(&Seen::default())
}

fn main() {
    let said = Jira::DECLARATION;
    assert_eq!(Jira.kind(), "jira");
    assert_eq!(Jira.description(), "Announces issues updated in a Jira project.");
    assert_eq!(said.kind, Jira.kind());
    assert_eq!(said.description, Jira.description());
    assert_eq!(said.publish, ["plugin.outbound.>", "news.*"]);
    assert_eq!(said.subscribe, ["jira.hook"]);
    assert_eq!(said.lifecycle, Some(Lifecycle::Ephemeral));
    assert_eq!(said.max_concurrent_ticks, Some(64));
    assert_eq!(said.tick_timeout_secs, Some(3600));
    assert_eq!(said.plugin_id, Some("jira_plugin"));
    assert_eq!(said.name, Some("Jira"));
    assert_eq!(said.topic_prefix, Some("custom.jira"));
    assert_eq!(said.min_nexo_version, Some(">=0.3, <0.5"));
    let manifest = PollerHandler::new().with(Jira).manifest().unwrap();
    manifest.check("the manifest").unwrap();
    assert_eq!(manifest.plugin.poller.unwrap().broker_topic_prefix, "custom.jira");
    assert!(Jira.validate(&json!({"project": "A"})).is_ok());
    assert!(Jira.validate(&json!({"projct": "A"})).is_err());
    assert!(Jira::config_schema().unwrap().to_value()["properties"]["project"].is_object());
}
