use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::HttpReplay;

use super::Linear;
use super::tests::{issue, page};

/// A workspace, and issues that change in it.
struct Workspace(HttpReplay);

impl World for Workspace {
    async fn empty() -> Self {
        Self(HttpReplay::of([page(&[])].into()))
    }

    async fn fill(&mut self) {
        self.0.play([page(&[issue(3, "09:00:00.000"), issue(1, "08:15:01.000"), issue(2, "08:15:01.000")])].into());
    }

    fn config(&self) -> Value {
        json!({
            "api_url": self.0.url("/graphql"),
            "message_template": "{identifier} {title}",
            "deliver": {"channel": "telegram", "to": "42"},
        })
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"})).credentials("linear", json!({"api_key": "hunter2"}));
    }
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut config = json!({"message_template": "{title}", "deliver": {"channel": "a", "to": "1"}});
    config[key] = value.into();
    config
}

nexo_poller_testkit::conformance!(
    Linear,
    [
        with("message_template", "{json}"),
        with("api_url", "https://linear.example/graphql"),
        with("team", "ENG"),
        with("since", "2026-01-01T00:00:00Z"),
        with("max_per_tick", 1),
    ],
    [
        (with("api_url", "no address"), "api_url"),
        (with("message_template", ""), "message_template"),
        (with("message_template", "{title"), "message_template"),
        (with("team", 7), "team"),
        (with("since", "yesterday"), "since"),
        (with("max_per_tick", 0), "max_per_tick"),
        (with("project", "NX"), "project"),
        (with("deliver", json!({"channel": "a"})), "to"),
        (json!({"message_template": "{title}"}), "deliver"),
        (json!({"deliver": {"channel": "a", "to": "1"}}), "message_template"),
    ],
    Workspace
);
