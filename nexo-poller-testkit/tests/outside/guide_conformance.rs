//! A poller of a queue, and what it is held to.

use std::sync::{Arc, Mutex, PoisonError};

use nexo_poller::prelude::*;
use nexo_poller_testkit::MockPollerHost;
use nexo_poller_testkit::conformance::World;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueueConfig {
    /// The name of the queue.
    queue: String,
    deliver: Deliver,
}

/// How many messages of the queue were announced.
#[derive(Default, Serialize, Deserialize)]
struct Announced(usize);

/// Announces what stands in a queue.
#[poller(kind = "queue", publish = ["plugin.outbound.>"], main = false)]
async fn queue(
    ctx: &PollContext,
    Config(config): Config<QueueConfig>,
    Cursor(Announced(announced)): Cursor<Announced>,
) -> Result<TickAck, PollerError> {
    let messages = read(&config.queue);
    for message in &messages[announced..] {
        config.deliver.send(ctx, message).await?;
    }
    Ok(TickAck::with_cursor(&Announced(messages.len()))?.items(messages.len(), messages.len() - announced))
}

/// The outside world, as far as this poller is concerned. Yours asks a server.
static QUEUES: Mutex<Vec<(String, Arc<Vec<String>>)>> = Mutex::new(Vec::new());

fn read(name: &str) -> Arc<Vec<String>> {
    let queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    queues.iter().rev().find(|(known, _)| known == name).map(|(_, queue)| Arc::clone(queue)).unwrap_or_default()
}

/// A queue of its own for each check.
struct OneQueue(String);

impl World for OneQueue {
    async fn empty() -> Self {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("queue {}", queues.len());
        queues.push((name.clone(), Arc::default()));
        Self(name)
    }

    async fn fill(&mut self) {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.push((self.0.clone(), Arc::new(vec!["first".to_owned(), "second".to_owned()])));
    }

    fn config(&self) -> Value {
        json!({"queue": self.0, "deliver": {"channel": "telegram", "to": "42"}})
    }

    fn script(&self, host: &MockPollerHost) {
        host.credentials("telegram", json!({"account_id": "bot"}));
    }
}

nexo_poller_testkit::conformance!(
    Queue,
    [json!({"queue": "orders", "deliver": {"channel": "console", "to": "me"}})],
    [
        (json!({"deliver": {"channel": "console", "to": "me"}}), "queue"),
        (json!({"queue": "orders", "deliver": "me"}), "deliver"),
    ],
    OneQueue,
    skip the_manifest_is_valid_and_committed: "this guide is no crate of its own",
    skip processes_do_what_the_function_does: "this guide has no binary",
);
