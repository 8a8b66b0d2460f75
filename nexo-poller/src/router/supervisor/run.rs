use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::faults::Faults;
use super::{
    PluginProcess, PluginState, PluginStatus, ProcessGroup, RestartPolicy, StderrReader, StderrTail, exit_sentence,
};
use crate::broker::Broker;
use crate::broker::stdio::{ParentOptions, StdioError, StdioParent};
use crate::contract::Redact;
use crate::router::{PluginBinary, PluginLink, PluginPollerRouter, serve_calls};

/// How long a process may take to end after its pipes were closed by itself, before it is killed.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long a plugin that was told to stop, and has had its grace, may take for each further step to its end.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// How plugins are kept up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SupervisorOptions {
    /// When an ended plugin is started again.
    pub restart: RestartPolicy,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        Self { restart: RestartPolicy::default(), handshake_timeout: Duration::from_secs(10) }
    }
}

impl SupervisorOptions {
    /// Starts ended plugins again as `restart` says.
    #[must_use]
    pub fn with_restart(mut self, restart: RestartPolicy) -> Self {
        self.restart = restart;
        self
    }

    /// Gives a handshake this long.
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }
}

/// Keeps one long-lived plugin up. Dropping it kills the plugin; [`shutdown`](Self::shutdown) ends it in good order.
pub struct Supervisor {
    shared: Arc<Shared>,
    settled: watch::Receiver<bool>,
    stop: mpsc::Sender<Duration>,
    task: JoinHandle<()>,
    calls: JoinHandle<()>,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("plugin", &self.shared.plugin.manifest.plugin.id).finish_non_exhaustive()
    }
}

struct Shared {
    plugin: PluginBinary,
    link: PluginLink,
    tail: StderrTail,
    facts: Mutex<Facts>,
    faults: Arc<Faults>,
}

struct Facts {
    state: PluginState,
    why: String,
    pid: Option<u32>,
    starts: u64,
    up_since: Option<DateTime<Utc>>,
}

impl Supervisor {
    /// Starts `plugin`, which must be registered with `router`, and keeps it up from now on.
    #[must_use]
    pub fn start(plugin: PluginBinary, router: &PluginPollerRouter, options: SupervisorOptions) -> Self {
        let id = plugin.manifest.plugin.id.clone();
        let link = router.link(&id).unwrap_or_else(|| PluginLink::new(&id));
        let facts = Facts { state: PluginState::Starting, why: String::new(), pid: None, starts: 0, up_since: None };
        let shared = Arc::new(Shared {
            plugin,
            link,
            tail: StderrTail::default(),
            facts: Mutex::new(facts),
            faults: Arc::new(Faults::new(router.in_flight())),
        });
        let (settling, settled) = watch::channel(false);
        let (stop, stopped) = mpsc::channel(1);
        let broker = router.broker();
        let serving = serve_calls(Arc::clone(&broker), router.in_flight(), id.clone());
        let calls = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(plugin = id, %error, "calls of this plugin cannot be answered");
            }
        });
        let run = Run { shared: Arc::clone(&shared), broker, options, redact: router.redact(), settling, stopped };
        Self { shared, settled, stop, task: tokio::spawn(run.run()), calls }
    }

    /// Waits until the first start has worked or failed, or until the supervisor is gone.
    pub fn settled(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut settled = self.settled.clone();
        async move {
            // An error means that the task has ended: settled as well.
            let _ = settled.wait_for(|settled| *settled).await;
        }
    }

    /// The plugin as it is now.
    #[must_use]
    pub fn status(&self) -> PluginStatus {
        self.shared.status()
    }

    /// Asks the plugin to finish, waits up to `grace`, then SIGTERM, then SIGKILL to all of its process group.
    pub async fn shutdown(mut self, grace: Duration) {
        let _ = self.stop.send(grace).await;
        // Bounded inside: grace, then TERM_GRACE, then a kill.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
        self.calls.abort();
    }
}

impl Shared {
    fn id(&self) -> &str {
        &self.plugin.manifest.plugin.id
    }

    fn facts(&self) -> std::sync::MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> PluginStatus {
        let plugin = &self.plugin.manifest.plugin;
        let facts = self.facts();
        PluginStatus {
            id: plugin.id.clone(),
            version: plugin.version.clone(),
            kinds: plugin.poller.as_ref().map(|poller| poller.kinds.clone()).unwrap_or_default(),
            state: facts.state,
            why: facts.why.clone(),
            pid: facts.pid,
            restarts: facts.starts.saturating_sub(1),
            up_since: facts.up_since,
            bad_lines: self.faults.log.bad_lines.load(Ordering::Relaxed),
            refused_publishes: self.faults.log.refused.load(Ordering::Relaxed),
            dropped_messages: self.faults.log.dropped.load(Ordering::Relaxed),
            lost_publishes: self.faults.log.lost.load(Ordering::Relaxed),
            last_stderr: self.tail.lines(),
        }
    }
}

/// How one life of the process ended.
enum End {
    /// By itself, for the reason of the sentence.
    Failed(String),
    /// Because the daemon wants it so.
    Stopped,
}

struct Run {
    shared: Arc<Shared>,
    broker: Arc<dyn Broker>,
    options: SupervisorOptions,
    redact: Redact,
    settling: watch::Sender<bool>,
    stopped: mpsc::Receiver<Duration>,
}

impl Run {
    async fn run(mut self) {
        let mut failures = 0;
        for generation in 1.. {
            let started = Instant::now();
            let End::Failed(why) = self.live(generation).await else { break };
            let why = self.redact.text(&why);
            failures = self.options.restart.failures(failures, started.elapsed());
            let delay = self.options.restart.delay(failures);
            let id = self.shared.id();
            let sentence = format!(
                "plugin `{id}` {why}; start {} follows in {} s{}",
                generation + 1,
                delay.as_secs_f64(),
                self.shared.tail.last_as_clause()
            );
            tracing::warn!(plugin = id, "{sentence}");
            self.leave(PluginState::Restarting, &sentence);
            self.settling.send_replace(true);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = self.stopped.recv() => break,
            }
        }
        self.leave(PluginState::Stopped, &format!("plugin `{}` is stopped", self.shared.id()));
        self.settling.send_replace(true);
    }

    /// One process from its start to its end.
    async fn live(&mut self, generation: u64) -> End {
        {
            let mut facts = self.shared.facts();
            facts.starts += 1;
            facts.state = PluginState::Starting;
        }
        let started = tokio::select! {
            started = PluginProcess::start_aside(&self.shared.plugin, false) => started,
            _ = self.stopped.recv() => return End::Stopped,
        };
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let program = self.shared.plugin.program.display();
                return End::Failed(format!("cannot be started: {program}: {error}"));
            }
        };
        let PluginProcess { mut child, stdin, stdout, stderr, group } = process;
        let reading = StderrReader::start(stderr, self.shared.id(), &self.shared.tail, &self.redact);
        self.shared.facts().pid = group.id();
        let options = ParentOptions {
            label: format!("plugin `{}`", self.shared.id()),
            found: Some(self.shared.plugin.manifest.clone()),
            grants: self.shared.plugin.grants.clone(),
            handshake_timeout: self.options.handshake_timeout,
            observer: Arc::clone(&self.shared.faults) as _,
            ..ParentOptions::default()
        };
        let connecting = StdioParent::connect(stdout, stdin, Arc::clone(&self.broker), options);
        let end = tokio::select! {
            connected = connecting => match connected {
                Ok((parent, _)) => self.serve(generation, parent, &mut child, &group).await,
                Err(error @ StdioError::Closed { .. }) => {
                    // A process that has just ended tells more by its exit code than by its closed pipe.
                    match timeout(Duration::from_millis(200), child.wait()).await {
                        Ok(status) => End::Failed(format!("{} before it was up: {error}", exit_sentence(status))),
                        Err(_) => End::Failed(error.to_string()),
                    }
                }
                Err(error) => End::Failed(format!("cannot be used: {error}")),
            },
            _ = self.stopped.recv() => End::Stopped,
        };
        if matches!(end, End::Stopped) && matches!(child.try_wait(), Ok(None)) {
            // Still in its handshake: its pipes are closed, and it is asked once more before it is killed.
            group.terminate();
            let _ = timeout(TERM_GRACE, child.wait()).await;
        }
        // The group first: whatever was forked holds the pipes, and draining would wait for it.
        drop(group);
        let _ = timeout(TERM_GRACE, child.wait()).await;
        if !reading.finish(Duration::from_millis(500)).await {
            tracing::debug!(
                plugin = self.shared.id(),
                "a process that has left the plugin's group keeps its stderr open; it is not read any more"
            );
        }
        end
    }

    /// From the handshake to the end.
    async fn serve(&mut self, generation: u64, parent: StdioParent, child: &mut Child, group: &ProcessGroup) -> End {
        {
            let mut facts = self.shared.facts();
            facts.state = PluginState::Up;
            facts.why = String::new();
            facts.up_since = Some(Utc::now());
        }
        let version = &self.shared.plugin.manifest.plugin.version;
        tracing::info!(plugin = self.shared.id(), version, pid = group.id(), "plugin is up");
        self.shared.link.up(generation);
        self.settling.send_replace(true);
        tokio::select! {
            status = child.wait() => End::Failed(exit_sentence(status)),
            reason = parent.closed() => match timeout(TERM_GRACE, child.wait()).await {
                Ok(status) => End::Failed(exit_sentence(status)),
                Err(_) => End::Failed(format!("is of no use any more: {reason}; it was killed")),
            },
            grace = self.stopped.recv() => {
                let grace = grace.unwrap_or_default();
                // The answers to its running ticks come before it says that it has finished. The link stays for longer, until the
                // process is gone: a tick that was not answered is at work until then.
                parent.shutdown("the daemon stops this plugin", grace).await;
                // Its stdin is closed: a plugin that has missed the request sees the end of its input.
                drop(parent);
                if timeout(EXIT_GRACE.min(grace), child.wait()).await.is_err() {
                    group.terminate();
                    if timeout(EXIT_GRACE, child.wait()).await.is_err() {
                        tracing::warn!(plugin = self.shared.id(), "plugin did not end when it was asked to; it was killed");
                    }
                }
                End::Stopped
            }
        }
    }

    fn leave(&self, state: PluginState, why: &str) {
        {
            let mut facts = self.shared.facts();
            facts.state = state;
            why.clone_into(&mut facts.why);
            facts.pid = None;
            facts.up_since = None;
        }
        self.shared.link.down(why.to_owned());
    }
}
