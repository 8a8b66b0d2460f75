use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{HostError, LogLevel, PollerError, PollerHost, describe_decode_error};

/// Everything that one tick is given.
#[derive(Clone)]
#[non_exhaustive]
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
    /// A first tick of `job_id`, now: without config, cursor or schedule, and not cancelled. Set what is different.
    ///
    /// Whoever runs ticks makes one. A poller's test takes it from a
    /// [`JobTest`](https://docs.rs/nexo-poller-testkit/latest/nexo_poller_testkit/struct.JobTest.html).
    pub fn new(
        kind: &'static str,
        job_id: impl Into<String>,
        agent_id: impl Into<String>,
        host: Arc<dyn PollerHost>,
    ) -> Self {
        Self {
            job_id: job_id.into(),
            agent_id: agent_id.into(),
            kind,
            config: Value::Object(serde_json::Map::new()),
            cursor: None,
            now: Utc::now(),
            interval_hint: Duration::ZERO,
            cancel: CancellationToken::new(),
            host,
        }
    }

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

    /// The owning agent's account on `channel`, as the `T` that this poller needs it to be.
    ///
    /// ```
    /// use nexo_poller::prelude::*;
    ///
    /// #[derive(Deserialize)]
    /// struct Account {
    ///     secret_key: String,
    /// }
    ///
    /// # async fn tick(ctx: &PollContext) -> Result<(), PollerError> {
    /// let Account { secret_key } = ctx.credentials("stripe").await?;
    /// # drop(secret_key);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Without `secret_key` in the account, the tick fails with ``the credentials of agent `ana` for channel `stripe`:
    /// missing field `secret_key` ``. An account also has `channel`,
    /// `agent_id` and mostly `account_id`, so `T` must not deny fields that it does not know. Where one of several forms will do,
    /// make it an `untagged` enum, whose `#[serde(expecting = "…")]` says which. Do not derive `Debug` for it.
    ///
    /// It is asked for each time, and never older than the call.
    ///
    /// # Errors
    /// [`PollerError::CredentialsMissing`] where the agent has no account there; [`PollerError::Config`] where it is no `T`, which
    /// names the field and never shows a value; and what [`PollerHost::credentials_get`] returns.
    pub async fn credentials<T: DeserializeOwned>(&self, channel: &str) -> Result<T, PollerError> {
        let account = self.host.credentials_get(channel.to_owned()).await?;
        serde_path_to_error::deserialize(&account).map_err(|error| {
            PollerError::config(format!(
                "the credentials of agent `{}` for channel `{channel}`: {}",
                self.agent_id,
                describe_decode_error(&error, &account)
            ))
        })
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

#[cfg(test)]
mod tests {
    use crate::contract::ErrorClass;
    use crate::contract::recording_host::RecordingHost;
    use crate::prelude::*;

    #[derive(Deserialize)]
    struct Account {
        secret_key: String,
        port: Option<u16>,
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "it holds neither an `api_key` nor a `token`")]
    #[expect(dead_code, reason = "only decoded")]
    enum Either {
        Key { api_key: String },
        Bearer { token: String },
    }

    fn ana(account: Value) -> PollContext {
        RecordingHost::new(Ok(account)).tick()
    }

    #[tokio::test]
    async fn an_account_that_does_not_fit_is_a_config_error_that_names_the_field_and_no_value() {
        let account: Account = ana(json!({"account_id": "x", "secret_key": "sk"})).credentials("stripe").await.unwrap();
        assert_eq!((&*account.secret_key, account.port), ("sk", None));
        let around = |said: &str| format!("the credentials of agent `ana` for channel `stripe`: {said}");
        for (account, said) in [
            (json!({"account_id": "x"}), "missing field `secret_key`"),
            (json!({"secret_key": 472_913}), "`secret_key`: invalid type: integer, expected a string"),
            (json!({"secret_key": "s", "port": "hunter2"}), "`port`: invalid type: string, expected u16"),
        ] {
            let error = ana(account).credentials::<Account>("stripe").await.err().unwrap();
            assert_eq!((error.class(), error.to_string()), (ErrorClass::Config, around(said)));
        }
        let error = ana(json!({"key": "hunter2"})).credentials::<Either>("stripe").await.err().unwrap();
        assert_eq!(error.to_string(), around("it holds neither an `api_key` nor a `token`"));
    }

    #[tokio::test]
    async fn an_agent_without_an_account_is_told_apart_from_one_whose_account_does_not_fit() {
        let missing = HostError::CredentialsMissing { channel: "stripe".into(), reason: "none".into() };
        let error = RecordingHost::new(Err(missing)).tick().credentials::<Account>("stripe").await.err().unwrap();
        assert!(matches!(error, PollerError::CredentialsMissing { .. }), "{error}");
    }
}
