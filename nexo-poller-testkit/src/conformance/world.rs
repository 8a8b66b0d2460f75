use serde_json::Value;

use crate::MockPollerHost;

/// What stands outside of a poller, as the conformance suite needs it: a server on loopback, a folder, a queue. Each check
/// makes one of its own.
///
/// ```
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::MockPollerHost;
/// use nexo_poller_testkit::conformance::World;
///
/// /// A folder, for a poller that announces new files.
/// struct Folder(std::path::PathBuf);
///
/// impl World for Folder {
///     async fn empty() -> Self {
///         let path = std::env::temp_dir().join(format!("world-{}", std::process::id()));
///         std::fs::create_dir_all(&path).unwrap();
///         Self(path)
///     }
///
///     async fn fill(&mut self) {
///         std::fs::write(self.0.join("report.pdf"), "pages").unwrap();
///     }
///
///     fn config(&self) -> Value {
///         json!({"folder": self.0, "deliver": {"channel": "telegram", "to": "42"}})
///     }
///
///     fn script(&self, host: &MockPollerHost) {
///         host.credentials("telegram", json!({"account_id": "bot"}));
///     }
/// }
/// ```
pub trait World: Sized + Send {
    /// A world in which there is nothing to announce.
    fn empty() -> impl Future<Output = Self> + Send;

    /// Makes something happen in it: the next tick has at least one message to publish.
    fn fill(&mut self) -> impl Future<Output = ()> + Send;

    /// The config of a job that looks at it.
    fn config(&self) -> Value;

    /// Tells the mocked host what ticks ask it for: credentials, what a model answers.
    fn script(&self, host: &MockPollerHost) {
        let _ = host;
    }

    /// Puts back what ticks have changed in it (messages that were marked as read), so that the same tick finds the same
    /// again. A poller that only reads needs none.
    fn restore(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}
