use nexo_poller::prelude::*;
use nexo_poller_testkit::conformance::World;
use tempfile::TempDir;

use super::NewFiles;

/// A folder, with files that appear in it.
struct Folder(TempDir);

impl World for Folder {
    async fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    async fn fill(&mut self) {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        for name in ["report.pdf", "photo.jpg"] {
            let path = self.0.path().join(name);
            std::fs::write(&path, name).unwrap();
            std::fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        }
    }

    fn config(&self) -> Value {
        json!({"folder": self.0.path(), "deliver": {"channel": "console", "to": "you"}})
    }
}

nexo_poller_testkit::conformance!(
    NewFiles,
    [json!({"folder": "inbox", "deliver": {"channel": "telegram", "to": "42"}, "max_per_tick": 1})],
    [
        (json!({"deliver": {"channel": "telegram", "to": "42"}}), "folder"),
        (json!({"folder": "inbox"}), "deliver"),
        (json!({"folder": "inbox", "deliver": {"channel": "telegram"}}), "to"),
        (
            json!({"folder": "inbox", "deliver": {"channel": "telegram", "to": "42"}, "max_per_tick": "many"}),
            "max_per_tick"
        ),
    ],
    Folder
);
