use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::HttpReplay;
use tempfile::TempDir;

use super::Gmail;
use super::tests::{account, listed, mail, marked};

/// A mailbox, and messages that arrive in it.
struct Mailbox {
    server: HttpReplay,
    account: Value,
    /// With the account's token file.
    _home: TempDir,
}

impl World for Mailbox {
    async fn empty() -> Self {
        let (home, account) = account();
        Self { server: HttpReplay::of([listed(&[])].into()), account, _home: home }
    }

    async fn fill(&mut self) {
        let mails = [mail("m1", "One", "first"), mail("m2", "Two", "second")];
        self.server.play([listed(&["m2", "m1"])].into_iter().chain(mails).chain(["m1", "m2"].map(marked)).collect());
    }

    fn config(&self) -> Value {
        json!({
            "api_url": self.server.url("/"), "dispatch_delay_ms": 0,
            "message_template": "{subject}", "deliver": {"channel": "telegram", "to": "42"},
        })
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"})).credentials("google", self.account.clone());
    }
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut config = json!({"message_template": "{subject}", "deliver": {"channel": "a", "to": "1"}});
    config[key] = value.into();
    config
}

nexo_poller_testkit::conformance!(
    Gmail,
    [
        with("query", "is:unread label:orders"),
        with("newer_than", "2d"),
        with("max_per_tick", 1),
        with("dispatch_delay_ms", 0),
        with("sender_allowlist", json!(["ana@example.com", "@shop.example"])),
        with("extract", json!({"order": r"order (\d+)"})),
        with("require_fields", json!(["subject"])),
        with("mark_read_on_dispatch", false),
        with("api_url", "https://gmail.example/v1"),
        with("message_template", "{id} {thread_id} {from} {to} {date} {snippet} {body}"),
    ],
    [
        (with("api_url", "no address"), "api_url"),
        (with("message_template", ""), "message_template"),
        (with("message_template", "{order}"), "message_template"),
        (with("max_per_tick", 0), "max_per_tick"),
        (with("dispatch_delay_ms", "soon"), "dispatch_delay_ms"),
        (with("sender_allowlist", "ana"), "sender_allowlist"),
        (with("extract", json!({"order": "("})), "extract"),
        (with("extract", json!({"subject": "x"})), "extract"),
        (with("require_fields", json!(["order"])), "require_fields"),
        (with("mark_read_on_dispatch", "yes"), "mark_read_on_dispatch"),
        (with("label", "NX"), "label"),
        (with("deliver", json!({"channel": "a"})), "to"),
        (json!({"message_template": "{subject}"}), "deliver"),
        (json!({"deliver": {"channel": "a", "to": "1"}}), "message_template"),
    ],
    Mailbox
);
