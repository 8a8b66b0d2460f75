use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::{Exchange, HttpReplay};
use tempfile::TempDir;

use super::GoogleCalendar;
use super::tests::{account, event, page};

/// A calendar, and events that change in it.
struct Calendar {
    server: HttpReplay,
    account: Value,
    /// With the account's token file.
    _home: TempDir,
}

impl World for Calendar {
    async fn empty() -> Self {
        let (home, account) = account();
        Self { server: HttpReplay::of([page(&[], "one")].into()), account, _home: home }
    }

    async fn fill(&mut self) {
        let events = [event("lunch", "09:00:00.000"), event("dinner", "09:00:00.000")];
        // Whoever asks from the same place is told the same.
        let from = |token: &str, page: Exchange| {
            page.query("singleEvents", "true").query("maxResults", "2500").query("syncToken", token)
        };
        self.server.play([from("one", page(&events, "two")), from("two", page(&[], "two"))].into());
    }

    fn config(&self) -> Value {
        json!({
            "api_url": self.server.url("/"),
            "message_template": "{summary} {start}",
            "deliver": {"channel": "telegram", "to": "42"},
        })
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"})).credentials("google", self.account.clone());
    }
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut config = json!({"message_template": "{summary}", "deliver": {"channel": "a", "to": "1"}});
    config[key] = value.into();
    config
}

nexo_poller_testkit::conformance!(
    GoogleCalendar,
    [
        with("calendar_id", "team@group.calendar.google.com"),
        with("skip_cancelled", false),
        with("api_url", "https://calendar.example/v3"),
        with("message_template", "{status}: {summary}, {start} to {end}, {location} {html_link}"),
    ],
    [
        (with("api_url", "no address"), "api_url"),
        (with("message_template", ""), "message_template"),
        (with("message_template", "{title}"), "message_template"),
        (with("skip_cancelled", "yes"), "skip_cancelled"),
        (with("query", "NX"), "query"),
        (with("deliver", json!({"channel": "a"})), "to"),
        (json!({"message_template": "{summary}"}), "deliver"),
        (json!({"deliver": {"channel": "a", "to": "1"}}), "message_template"),
    ],
    Calendar
);
