use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::HttpReplay;

use super::Stripe;
use super::tests::{after, list, newest};

/// An account, and events in it.
struct Account(HttpReplay);

impl World for Account {
    async fn empty() -> Self {
        Self(HttpReplay::of([list(newest(), [1..=1], false), list(after(1), [], false)].into()))
    }

    async fn fill(&mut self) {
        self.0.play([list(after(1), [2..=4], false), list(after(4), [], false)].into());
    }

    fn config(&self) -> Value {
        json!({
            "api_url": self.0.url("/"),
            "message_template": "{type}",
            "deliver": {"channel": "telegram", "to": "42"},
        })
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"}));
        host.credentials("stripe", json!({"secret_key": "sk_test_hunter2"}));
    }
}

fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut config = json!({"message_template": "{type}", "deliver": {"channel": "a", "to": "1"}});
    config[key] = value.into();
    config
}

nexo_poller_testkit::conformance!(
    Stripe,
    [
        with("message_template", "{json}"),
        with("api_url", "https://stripe.example/"),
        with("types", vec!["charge.refunded"]),
        with("announce_existing", true),
        with("max_per_tick", 1),
    ],
    [
        (with("api_url", "no address"), "api_url"),
        (with("message_template", " "), "message_template"),
        (with("message_template", "{type"), "message_template"),
        (with("types", "charge.refunded"), "types"),
        (with("announce_existing", "no"), "announce_existing"),
        (with("max_per_tick", 0), "max_per_tick"),
        (with("secret_key", "sk_test"), "secret_key"),
        (with("deliver", json!({"channel": "a"})), "to"),
        (json!({"message_template": "{type}"}), "deliver"),
        (json!({"deliver": {"channel": "a", "to": "1"}}), "message_template"),
    ],
    Account
);
