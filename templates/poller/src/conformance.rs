use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;
use tempfile::TempDir;

use super::{{kind | upper_camel_case}};

/// A folder, and files that appear in it.
struct Folder(TempDir);

impl World for Folder {
    async fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn fill(&mut self) {
        for name in ["report.pdf", "photo.jpg"] {
            std::fs::write(self.0.path().join(name), "").unwrap();
        }
    }

    fn config(&self) -> Value {
        json!({"folder": self.0.path(), "deliver": {"channel": "telegram", "to": "42"}})
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"}));
    }
}

nexo_poller_testkit::conformance!(
    {{kind | upper_camel_case}},
    [
        json!({}),
        json!({"folder": "inbox", "deliver": {"channel": "console", "to": "me"}})
    ],
    [
        (json!({"folder": 7}), "folder"),
        (json!({"deliver": {"channel": "telegram"}}), "to"),
        (json!({"foldr": "x"}), "foldr")
    ],
    Folder
);
