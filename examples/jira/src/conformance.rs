use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::HttpReplay;

use super::Jira;
use super::tests::{issue, page};

/// A Jira, and issues that change in it.
struct Cloud(HttpReplay);

impl World for Cloud {
    async fn empty() -> Self {
        Self(HttpReplay::of([page(&[])].into()))
    }

    async fn fill(&mut self) {
        self.0.play([page(&[issue(1, "08:15:01.000"), issue(2, "08:15:01.000"), issue(3, "09:00:00.000")])].into());
    }

    fn config(&self) -> Value {
        json!({
            "base_url": self.0.url("/"),
            "jql": "project = NX",
            "message_template": "{key} {fields.summary}",
            "deliver": {"channel": "telegram", "to": "42"},
        })
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"})).credentials("jira", json!({"token": "hunter2"}));
    }
}

fn config(base_url: &str, jql: &str, message_template: &str) -> Value {
    let deliver = json!({"channel": "a", "to": "1"});
    json!({"base_url": base_url, "jql": jql, "message_template": message_template, "deliver": deliver})
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut config = config("https://a.example", "project = NX", "{key}");
    config[key] = value.into();
    config
}

nexo_poller_testkit::conformance!(
    Jira,
    [
        config("https://a.example/jira/", r#"summary ~ "order \" by" OR text ~ 'order by'"#, "{json}"),
        with("api", "server"),
        with("since", "2026-01-01T00:00:00Z"),
        with("max_per_tick", 1),
    ],
    [
        (config("no address", "project = NX", "{key}"), "base_url"),
        (config("https://a.example", " ", "{key}"), "jql"),
        (config("https://a.example", "project = NX Order  By created", "{key}"), "jql"),
        (config("https://a.example", "(project = NX)ORDER\nBY created", "{key}"), "jql"),
        (config("https://a.example", "project = NX", ""), "message_template"),
        (config("https://a.example", "project = NX", "{key"), "message_template"),
        (config("https://a.example", "project = NX", "{key} {summary}"), "`summary`"),
        (with("api", "data center"), "api"),
        (with("since", "yesterday"), "since"),
        (with("max_per_tick", 0), "max_per_tick"),
        (with("project", "NX"), "project"),
        (with("deliver", json!({"channel": "a"})), "to"),
    ],
    Cloud
);
