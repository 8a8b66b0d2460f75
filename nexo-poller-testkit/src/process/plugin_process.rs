use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nexo_poller::contract::{PollContext, Poller, PollerError, TickAck};
use nexo_poller::manifest::{Lifecycle, Manifest, PluginGrants};
use nexo_poller::router::{
    PluginBinary, PluginEnvironment, PluginKind, PluginPollerRouter, PluginState, PluginStatus, RestartPolicy,
    Supervisor, SupervisorOptions, discover_in,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::ProcessError;
use super::host_broker::HostBroker;
use crate::MockPollerHost;

/// How long a plugin may take to come up, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A poller's real binary, driven as the daemon drives it: the same supervisor, the same bridge, the same deadlines. What
/// it asks for is answered by a [`MockPollerHost`], and what it publishes is recorded there. Of the test's environment it sees
/// what a daemon shows a plugin, and its home is a folder that goes away with it.
///
/// ```no_run
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::process::{PluginProcess, built_binary};
/// use nexo_poller_testkit::{JobTest, MockPollerHost};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = MockPollerHost::new().credentials("telegram", json!({"account_id": "bot"}));
/// let plugin = PluginProcess::start(built_binary(env!("CARGO_MANIFEST_DIR"), "jira-poller")?, &host).await?;
/// let mut job = JobTest::of_process(&plugin, "jira")?.config(json!({"project": "NEXO"}));
/// job.tick().await;
/// host.assert_published("plugin.outbound.telegram.bot").times(1);
///
/// plugin.kill()?; // SIGKILL: the daemon starts it again
/// plugin.up_again().await?;
/// job.tick().await;
/// host.assert_nothing_else();
/// plugin.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct PluginProcess {
    plugin: PluginBinary,
    kinds: Vec<PluginKind>,
    broker: HostBroker,
    host: MockPollerHost,
    supervisor: Option<Supervisor>,
    _home: TempDir,
}

impl fmt::Debug for PluginProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginProcess")
            .field("plugin", &self.plugin.manifest.plugin.id)
            .field("program", &self.plugin.program)
            .finish_non_exhaustive()
    }
}

impl PluginProcess {
    /// Starts `program` as its manifest says: it is asked for that by `--print-manifest`, unless a `nexo-plugin.toml` that
    /// names it lies beside it.
    ///
    /// # Errors
    /// [`ProcessError::NoPlugin`], [`ProcessError::NotUp`].
    pub async fn start(program: impl AsRef<Path>, host: &MockPollerHost) -> Result<Self, ProcessError> {
        Self::start_with(program, host, |_| {}).await
    }

    /// Starts `program` with one process a tick, whatever its manifest says.
    ///
    /// # Errors
    /// [`ProcessError::NoPlugin`].
    pub async fn start_ephemeral(program: impl AsRef<Path>, host: &MockPollerHost) -> Result<Self, ProcessError> {
        Self::start_with(program, host, |manifest| set_lifecycle(manifest, Lifecycle::Ephemeral)).await
    }

    /// Starts `program` as one long-lived process, whatever its manifest says.
    ///
    /// # Errors
    /// [`ProcessError::NoPlugin`], [`ProcessError::NotUp`].
    pub async fn start_long_lived(program: impl AsRef<Path>, host: &MockPollerHost) -> Result<Self, ProcessError> {
        Self::start_with(program, host, |manifest| set_lifecycle(manifest, Lifecycle::LongLived)).await
    }

    async fn start_with(
        program: impl AsRef<Path>,
        host: &MockPollerHost,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<Self, ProcessError> {
        let home = tempfile::tempdir().map_err(ProcessError::io("the plugin's home cannot be made"))?;
        let environment = PluginEnvironment::new().with_home(home.path());
        let (mut found, errors) = discover_in(program.as_ref(), &environment).await;
        let no_plugin =
            || ProcessError::NoPlugin(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        let mut plugin = found.pop().ok_or_else(no_plugin)?;
        change(&mut plugin.manifest);
        // The author of a poller is its operator as well.
        plugin.grants = PluginGrants::of_wishes(&plugin.manifest.plugin);
        let broker = HostBroker::new(host.clone());
        let router = PluginPollerRouter::new(Arc::new(broker.clone()));
        let kinds = router.register(&plugin).map_err(|error| ProcessError::NoPlugin(error.to_string()))?;
        let ephemeral =
            plugin.manifest.plugin.poller.as_ref().is_some_and(|poller| poller.lifecycle == Lifecycle::Ephemeral);
        // A test that kills a plugin does not want to wait for it.
        let restart = RestartPolicy::default().with_first(Duration::from_millis(50));
        let options = SupervisorOptions::default().with_restart(restart);
        let supervisor = (!ephemeral).then(|| Supervisor::start(plugin.clone(), &router, options));
        let process = Self { plugin, kinds, broker, host: host.clone(), supervisor, _home: home };
        process.up(|status| status.state == PluginState::Up).await?;
        Ok(process)
    }

    /// The manifest that it was found by.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.plugin.manifest
    }

    /// The host that its ticks get.
    #[must_use]
    pub fn host(&self) -> &MockPollerHost {
        &self.host
    }

    /// One of its kinds as a poller.
    ///
    /// # Errors
    /// [`ProcessError::NoKind`].
    pub fn poller(&self, kind: &str) -> Result<Arc<dyn Poller>, ProcessError> {
        let served = || self.kinds.iter().map(|kind| format!("`{}`", kind.kind)).collect::<Vec<_>>().join(", ");
        let found = self.kinds.iter().find(|served| served.kind == kind);
        let found = found.ok_or_else(|| ProcessError::NoKind { kind: kind.to_owned(), served: served() })?;
        Ok(Arc::new(Noted { inner: Arc::clone(&found.poller), broker: self.broker.clone() }))
    }

    /// The deadline that its manifest gives a tick.
    pub(crate) fn deadline(&self) -> Duration {
        let seconds = self.plugin.manifest.plugin.poller.as_ref().map_or(60, |poller| poller.tick_timeout_secs);
        Duration::from_secs(seconds.into())
    }

    /// The process as its supervisor sees it: pid, restarts, lines that were no protocol, the last lines of stderr. None
    /// where there is a process only while a tick runs.
    #[must_use]
    pub fn status(&self) -> Option<PluginStatus> {
        self.supervisor.as_ref().map(Supervisor::status)
    }

    /// Kills it with SIGKILL. As the daemon does, the supervisor starts it again; see [`up_again`](Self::up_again).
    ///
    /// # Errors
    /// [`ProcessError::Io`] where there is no process.
    pub fn kill(&self) -> Result<(), ProcessError> {
        self.signal(Signal::KILL)
    }

    /// Stops it in its tracks (SIGSTOP): a process that hangs.
    ///
    /// # Errors
    /// As [`kill`](Self::kill).
    pub fn freeze(&self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// As [`kill`](Self::kill).
    pub fn thaw(&self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT)
    }

    /// Waits until another process than the first serves.
    ///
    /// # Errors
    /// [`ProcessError::NotUp`].
    pub async fn up_again(&self) -> Result<(), ProcessError> {
        self.up(|status| status.state == PluginState::Up && status.restarts > 0).await
    }

    /// Ends it in good order, as the daemon does; what has not ended after 30 s is killed.
    pub async fn shutdown(self) {
        if let Some(supervisor) = self.supervisor {
            supervisor.shutdown(PATIENCE).await;
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = self.status().and_then(|status| status.pid).and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let gone = || std::io::Error::other("there is no process");
        let sent = pid.ok_or_else(gone).and_then(|pid| kill_process(pid, signal).map_err(Into::into));
        sent.map_err(ProcessError::io("the plugin cannot be signalled"))
    }

    async fn up(&self, reached: impl Fn(&PluginStatus) -> bool) -> Result<(), ProcessError> {
        let Some(supervisor) = &self.supervisor else { return Ok(()) };
        let watching = async {
            // The supervisor tells nobody of its restarts, so it is looked at; in real time, whatever the test's is.
            while !reached(&supervisor.status()) {
                if tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(5))).await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, watching).await.is_ok() && reached(&supervisor.status()) {
            return Ok(());
        }
        Err(ProcessError::NotUp { after: PATIENCE, why: supervisor.status().why })
    }
}

fn set_lifecycle(manifest: &mut Manifest, lifecycle: Lifecycle) {
    if let Some(poller) = &mut manifest.plugin.poller {
        poller.lifecycle = lifecycle;
    }
}

/// A kind whose ticks are noted, so that what they publish can be told to be theirs.
struct Noted {
    inner: Arc<dyn Poller>,
    broker: HostBroker,
}

#[async_trait]
impl Poller for Noted {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn description(&self) -> &'static str {
        self.inner.description()
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let _entered = self.broker.enter(&ctx.job_id);
        self.inner.tick(ctx).await
    }
}
