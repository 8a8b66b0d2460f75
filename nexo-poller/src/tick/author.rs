use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::host::TickHost;
use super::panics::{Panicked, catch, catch_now};
use super::{PublishList, TickGate};
use crate::contract::{PollContext, Poller, PollerError, PollerHost, TickAck, TickIdentity, check_cursor};

/// A tick that is about to run: the author's poller, and everything that the tick is given but its host.
#[non_exhaustive]
pub struct AuthorTick {
    /// Whose tick it is.
    pub poller: Arc<dyn Poller>,
    /// Which one it is.
    pub identity: TickIdentity,
    /// The job's config.
    pub config: Value,
    /// Whether the poller has accepted `config` before. Otherwise it is asked first, and a config that it refuses ends the
    /// tick: the wire brings a config that nobody has looked at, the runner checks each one once, when it comes.
    pub config_checked: bool,
    /// The tick's own time.
    pub now: DateTime<Utc>,
    /// How long until the schedule's next slot.
    pub interval_hint: Duration,
    /// What it may publish on.
    pub publish: PublishList,
}

impl AuthorTick {
    /// A tick with a config that nobody has checked, which may publish on everything. Set what is different.
    #[must_use]
    pub fn new(poller: Arc<dyn Poller>, identity: TickIdentity, config: Value, now: DateTime<Utc>) -> Self {
        Self {
            poller,
            identity,
            config,
            config_checked: false,
            now,
            interval_hint: Duration::ZERO,
            publish: PublishList::everything(),
        }
    }

    /// Runs the tick to its end, or to the panic of the author's code. `host` makes its host, inside the net that catches
    /// panics.
    ///
    /// `gate` stops it from outside, and is closed when this is over, however that comes: with an outcome, with a panic, or
    /// because the future is dropped. Code that the tick left behind must not publish under a cursor that moved on long ago.
    ///
    /// # Errors
    /// [`Panicked`] with the place alone.
    pub async fn run(
        self,
        gate: TickGate,
        host: impl FnOnce(&TickIdentity) -> Arc<dyn PollerHost> + Send,
    ) -> Result<Result<TickAck, PollerError>, Panicked> {
        let closed = gate.close_on_drop();
        let (poller, config_checked) = (Arc::clone(&self.poller), self.config_checked);
        let context = match catch_now(|| {
            let host = host(&self.identity);
            let context = self.into_context(closed.gate(), host);
            if !config_checked {
                poller.validate(&context.config)?;
            }
            Ok(context)
        })? {
            Ok(context) => context,
            Err(refused) => return Ok(Err(refused)),
        };
        catch(async {
            let ack = poller.tick(&context).await?;
            check_cursor(&context.job_id, ack.next_cursor.as_deref())?;
            Ok(ack)
        })
        .await
    }

    /// What the author's code is given. `host` is wrapped, so that it heeds the publish list and closes with `gate`.
    #[must_use]
    pub fn into_context(self, gate: &TickGate, host: Arc<dyn PollerHost>) -> PollContext {
        PollContext {
            job_id: self.identity.job_id.to_string(),
            agent_id: self.identity.agent_id.to_string(),
            kind: self.poller.kind(),
            config: self.config,
            cursor: self.identity.cursor_before.as_deref().map(<[u8]>::to_vec),
            now: self.now,
            interval_hint: self.interval_hint,
            cancel: gate.cancelled(),
            host: Arc::new(TickHost::new(host, gate.clone(), self.publish)),
        }
    }
}

/// Shows no config: it may hold a secret.
impl fmt::Debug for AuthorTick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorTick")
            .field("identity", &self.identity)
            .field("now", &self.now)
            .field("publish", &self.publish)
            .finish_non_exhaustive()
    }
}
