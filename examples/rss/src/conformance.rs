use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};

use super::Rss;
use super::tests::feed;

/// A server with a feed.
struct Feed(HttpReplay);

fn version(etag: &str, entries: u32) -> Recording {
    Recording::from([Exchange::get("/feed.xml").header("etag", etag).text(feed(1..=entries))])
}

impl World for Feed {
    async fn empty() -> Self {
        Self(HttpReplay::of(version("\"1\"", 0)))
    }

    async fn fill(&mut self) {
        self.0.play(version("\"2\"", 7));
    }

    fn config(&self) -> Value {
        json!({"feed_url": self.0.url("/feed.xml"), "deliver": {"channel": "telegram", "to": "42"}})
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"}));
    }
}

nexo_poller_testkit::conformance!(
    Rss,
    [json!({"feed_url": "https://a.example/feed", "max_per_tick": 1, "deliver": {"channel": "a", "to": "1"}})],
    [
        (json!({"feed_url": "no url", "deliver": {"channel": "a", "to": "1"}}), "feed_url"),
        (json!({"feed_url": "https://a.example"}), "deliver"),
        (json!({"feed_url": "https://a.example", "deliver": {"channel": "a", "to": "1"}, "max": 1}), "max"),
    ],
    Feed
);
