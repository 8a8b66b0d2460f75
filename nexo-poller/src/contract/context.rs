use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{HostError, LogLevel, PollerHost};

/// Everything that one tick is given.
#[derive(Clone)]
pub struct PollContext {
    /// The job's `id` in `pollers.yaml`.
    pub job_id: String,
    /// The agent that owns the job: credentials and LLM calls are answered in its name.
    pub agent_id: String,
    /// The poller's kind.
    pub kind: &'static str,
    /// The job's `config`, as written. Most pollers take [`Config<T>`](super::Config) instead.
    pub config: Value,
    /// What the last acknowledged tick returned; `None` on the first one. Most pollers take
    /// [`Cursor<T>`](super::Cursor) instead.
    pub cursor: Option<Vec<u8>>,
    /// The tick's own time. Use it in place of the machine's clock, so that tests can turn it.
    pub now: DateTime<Utc>,
    /// How long until the schedule's next slot, roughly.
    pub interval_hint: Duration,
    /// Fires when the tick should end early: its deadline, or a shutdown.
    pub cancel: CancellationToken,
    /// The way to the outside world.
    pub host: Arc<dyn PollerHost>,
}

impl PollContext {
    /// Publishes `payload` as JSON on `topic` and waits until the host has taken it.
    ///
    /// The message's id is derived from the job, the tick's cursor, the topic and the payload, and from how many messages that
    /// are the same have gone out in this tick before: a tick that is repeated repeats its ids, so that downstream can drop
    /// the copies, and two items that come to the same message are two messages. Whoever publishes in the same order each
    /// time needs to know no more; a call that has failed may be made again, and is no second message.
    ///
    /// # Errors
    /// What [`PollerHost::broker_publish`] returns, and [`HostError::Payload`] where `payload` is not JSON-able.
    pub async fn publish<T: Serialize + Sync + ?Sized>(&self, topic: &str, payload: &T) -> Result<(), HostError> {
        let bytes = serde_json::to_vec(payload).map_err(|error| HostError::payload(topic, error.to_string()))?;
        self.host.broker_publish(topic.to_owned(), bytes).await
    }

    /// Writes one line to the daemon's log, marked with the job, the plugin and the agent.
    ///
    /// # Errors
    /// What [`PollerHost::log`] returns.
    pub async fn log(
        &self,
        level: LogLevel,
        message: impl Into<String> + Send,
        fields: Value,
    ) -> Result<(), HostError> {
        self.host.log(level, message.into(), fields).await
    }
}

/// Shows no config and no cursor: either may hold a secret.
impl fmt::Debug for PollContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollContext")
            .field("job_id", &self.job_id)
            .field("agent_id", &self.agent_id)
            .field("kind", &self.kind)
            .field("cursor_bytes", &self.cursor.as_ref().map(Vec::len))
            .field("now", &self.now)
            .field("interval_hint", &self.interval_hint)
            .finish_non_exhaustive()
    }
}
