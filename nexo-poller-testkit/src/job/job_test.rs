use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nexo_poller::contract::{PollContext, Poller, TickAck, TickIdentity, WarmStates};
use nexo_poller::manifest::{DeclaredPoller, PollerSection};
use nexo_poller::unstable::{AuthorTick, TickGate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::TestClock;
use crate::clock::read_time;
use crate::host::MockPollerHost;

/// One job of a poller, ticked by hand, its cursor carried over from tick to tick as the runner does it.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::JobTest;
/// # use nexo_poller::manifest::{Declaration, DeclaredPoller};
/// # struct Counter;
/// # #[async_trait]
/// # impl Poller for Counter {
/// #     fn kind(&self) -> &'static str { "counter" }
/// #     async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
/// #         let Cursor(n) = <Cursor<u32> as FromTick>::from_tick(ctx).await?;
/// #         let text = format!("{} at {}", n + 1, ctx.now.format("%H:%M"));
/// #         ctx.publish("plugin.outbound.console.console", &json!({"to": "me", "text": text})).await?;
/// #         TickAck::with_cursor(&(n + 1))
/// #     }
/// # }
/// # impl DeclaredPoller for Counter {
/// #     const DECLARATION: Declaration =
/// #         Declaration::new("counter", nexo_poller::package!()).publish(&["plugin.outbound.>"]);
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // `Counter` announces how often it has looked; its cursor is that number.
/// let mut job = JobTest::new(Counter).agent("ana").start_at("2026-05-17T10:00:00Z");
/// job.tick().await;
/// job.advance(Duration::from_secs(300));
/// job.tick().await;
///
/// job.host().assert_published("plugin.outbound.console.*").texts(["1 at 10:00", "2 at 10:05"]);
/// assert_eq!(job.cursor::<u32>(), 2);
///
/// job.reset(); // as `nexo-poller reset` does
/// job.tick().await;
/// assert_eq!(job.cursor::<u32>(), 1);
/// # }
/// ```
pub struct JobTest {
    pub(crate) poller: Arc<dyn Poller>,
    pub(crate) job_id: String,
    pub(crate) config: Value,
    pub(crate) cursor: Option<Vec<u8>>,
    pub(super) deadline: Duration,
    agent_id: String,
    /// The process that it runs in, which no other job of the tests shares: what one test keeps warm, an HTTP client with its
    /// connections for one, dies with that test's runtime.
    pub(crate) process: WarmStates,
    interval_hint: Duration,
    clock: TestClock,
    host: MockPollerHost,
}

/// Shows no config and no cursor: either may hold a secret.
impl fmt::Debug for JobTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobTest")
            .field("kind", &self.poller.kind())
            .field("job_id", &self.job_id)
            .field("cursor_bytes", &self.cursor.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl JobTest {
    /// A job of `poller`, at its first tick, with an empty config. Its host allows what the poller's manifest allows; its
    /// ticks have the deadline that the manifest gives them.
    #[must_use]
    #[track_caller]
    pub fn new<P: DeclaredPoller>(poller: P) -> Self {
        let deadline = P::DECLARATION.tick_timeout_secs.unwrap_or_else(PollerSection::default_tick_timeout_secs);
        let host = MockPollerHost::for_poller::<P>();
        Self::with(Arc::new(poller), host, Duration::from_secs(deadline.into()))
    }

    /// A job of a poller that has no declaration, such as a [`Poller`] written by hand, with a host of the test's own.
    #[must_use]
    pub fn with_host(poller: impl Poller, host: &MockPollerHost) -> Self {
        let deadline = Duration::from_secs(PollerSection::default_tick_timeout_secs().into());
        Self::with(Arc::new(poller), host.clone(), deadline)
    }

    /// A job of the kind `kind` that `plugin` serves: its ticks run in that process, its host is the process's.
    ///
    /// # Errors
    /// [`ProcessError::NoKind`](crate::process::ProcessError::NoKind).
    #[cfg(feature = "process")]
    pub fn of_process(
        plugin: &crate::process::PluginProcess,
        kind: &str,
    ) -> Result<Self, crate::process::ProcessError> {
        Ok(Self::with(plugin.poller(kind)?, plugin.host().clone(), plugin.deadline()))
    }

    fn with(poller: Arc<dyn Poller>, host: MockPollerHost, deadline: Duration) -> Self {
        Self {
            job_id: format!("test_{}", poller.kind()),
            poller,
            config: json!({}),
            cursor: None,
            deadline,
            agent_id: "test_agent".to_owned(),
            process: WarmStates::default(),
            interval_hint: Duration::from_secs(300),
            clock: TestClock::default(),
            host,
        }
    }

    /// Sets the job's `config`, as `pollers.yaml` would hold it.
    #[must_use]
    pub fn config(mut self, config: impl Into<Value>) -> Self {
        self.config = config.into();
        self
    }

    /// Sets the job's id (`test_<kind>`).
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.job_id);
        self
    }

    /// Sets the agent that owns the job (`test_agent`).
    #[must_use]
    pub fn agent(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.agent_id);
        self
    }

    /// Sets how far away the schedule's next slot is said to be (5 minutes).
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval_hint = interval;
        self
    }

    /// Sets the clock to an RFC 3339 time (`2026-01-05T12:00:00Z`).
    ///
    /// # Panics
    /// Where `start` is none.
    #[must_use]
    #[track_caller]
    pub fn start_at(self, start: &str) -> Self {
        self.clock.set(read_time(start));
        self
    }

    /// Starts from the cursor that `cursor` is written as, instead of from none.
    ///
    /// # Panics
    /// Where it cannot be written as JSON.
    #[must_use]
    #[track_caller]
    pub fn resume_from<T: Serialize + ?Sized>(mut self, cursor: &T) -> Self {
        match TickAck::with_cursor(cursor) {
            Ok(ack) => self.cursor = ack.next_cursor,
            Err(error) => panic!("JobTest::resume_from: {error}"),
        }
        self
    }

    /// Starts from these very bytes: an old version's cursor, or a broken one.
    #[must_use]
    pub fn resume_from_bytes(mut self, cursor: impl Into<Vec<u8>>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// The host, to script it and to look at what it recorded.
    #[must_use]
    pub fn host(&self) -> &MockPollerHost {
        &self.host
    }

    /// The clock that the ticks' `now` is read from.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// Runs a tick with the warm values of the job's present process.
    pub(crate) async fn in_its_process<T>(&self, tick: impl Future<Output = T>) -> T {
        self.process.scope(tick).await
    }

    /// Forgets the cursor, as `nexo-poller reset` does. What the host recorded stays.
    pub fn reset(&mut self) {
        self.cursor = None;
    }

    /// The stored cursor, decoded as the author's type.
    ///
    /// # Panics
    /// Where there is none, or it does not decode.
    #[must_use]
    #[track_caller]
    pub fn cursor<T: DeserializeOwned>(&self) -> T {
        let Some(bytes) = &self.cursor else {
            panic!("job `{}` has no cursor: no tick has returned one since the start or the last reset", self.job_id)
        };
        match serde_json::from_slice(bytes) {
            Ok(cursor) => cursor,
            Err(error) => panic!(
                "\nexpected: the cursor of job `{}` as {}\n  actual: {error}\n          {}\n",
                self.job_id,
                std::any::type_name::<T>(),
                String::from_utf8_lossy(bytes)
            ),
        }
    }

    /// The stored cursor as it is.
    #[must_use]
    pub fn cursor_bytes(&self) -> Option<&[u8]> {
        self.cursor.as_deref()
    }

    /// The context that the next tick would get, for calling the author's function directly. Its host stays open.
    ///
    /// # Panics
    /// Where the config names an `HttpReplay` that was dropped: nobody who could answer is there.
    #[must_use]
    pub fn context(&self) -> PollContext {
        let tick = self.next_tick();
        let host = self.host.for_tick(tick.identity.clone());
        tick.into_context(&TickGate::new(CancellationToken::new()), host)
    }

    /// The next tick, as the daemon would run it.
    pub(crate) fn next_tick(&self) -> AuthorTick {
        #[cfg(feature = "http")]
        if let Some(address) = crate::http::dropped_server_in(&self.config) {
            panic!(
                "the config names {address}, where an HttpReplay was that has been dropped: keep it in a variable for as long as \
                 the job may ask it (`let server = HttpReplay::of(…); let mut job = job(&server);`)"
            );
        }
        let identity = TickIdentity::new(self.poller.kind(), &*self.job_id, &*self.agent_id);
        let identity = identity.with_cursor(self.cursor.as_deref());
        // It may publish on everything here: the mocked host has its own list, which a test may change between two ticks.
        let mut tick = AuthorTick::new(Arc::clone(&self.poller), identity, self.config.clone(), self.clock.now());
        tick.config_checked = true;
        tick.interval_hint = self.interval_hint;
        tick
    }
}
