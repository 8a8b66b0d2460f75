use nexo_poller::prelude::*;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};

use super::{{kind | upper_camel_case}};

/// The service, and items that appear in it.
struct Service(HttpReplay);

fn items(items: &Value) -> Recording {
    Recording::from([Exchange::get("/items").json(&json!({"items": items}))])
}

impl World for Service {
    async fn empty() -> Self {
        Self(HttpReplay::of(items(&json!([]))))
    }

    async fn fill(&mut self) {
        self.0.play(items(
            &json!([{"id": 1, "title": "The first"}, {"id": 2, "title": "The second"}]),
        ));
    }

    fn config(&self) -> Value {
        json!({"base_url": self.0.url("/")})
    }
}

nexo_poller_testkit::conformance!(
    {{kind | upper_camel_case}},
    [
        json!({"base_url": "https://api.example.org/v1/", "deliver": {"channel": "telegram", "to": "42"}})
    ],
    [
        (json!({}), "base_url"),
        (json!({"base_url": "no address"}), "base_url"),
        (
            json!({"base_url": "https://api.example.org/", "deliver": {"channel": "telegram"}}),
            "to"
        ),
    ],
    Service
);
