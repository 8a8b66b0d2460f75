mod error;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexo_poller::broker::{Broker, LocalBroker, NatsBroker};
use nexo_poller::host::{HostServices, LlmRegistry};
use nexo_poller::runner::{Observer, PollerRegistry, PollerRunner, RunnerOptions};
use nexo_poller::store::{JetStreamOptions, JetStreamStore, SqliteOptions, SqliteStore, StateStore};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) use self::error::BootError;
use crate::api::{ADDRESS_FILE, Listeners, announce};
use crate::cluster::many_machines;
use crate::config::credentials::Credentials;
use crate::config::{Settings, off_runtime, state_folder, within};
use crate::core::console::Console;
use crate::core::daemon::Daemon;
use crate::core::exit::Exit;
use crate::core::health::DaemonHealth;
use crate::core::loaded_config::LoadedConfig;
use crate::core::outbound::OutboundBroker;
use crate::core::reload::PLUGINS_SETTLE;
use crate::core::service_manager::ServiceManager;
use crate::core::state_file::StateFile;
use crate::plugins::built_in;
use crate::plugins::homes::PluginHomes;
use crate::plugins::running::Plugins;
use crate::telemetry::feed::Feed;
use crate::telemetry::logs;
use crate::telemetry::recent::RecentTicks;
use crate::telemetry::redactor::redactor;
use crate::telemetry::undelivered::Undelivered;

/// Ticks that are cancelled, and the plugins that run them, may take this long to end.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// What is written once everything has ended may take this long.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The whole of a shutdown.
const SHUTDOWN: Duration = Duration::from_millis(9_500);

/// Runs the daemon until a signal stops it.
///
/// # Errors
/// [`BootError`] where it cannot start.
pub(crate) async fn run(path: &Path) -> Result<(), BootError> {
    // The log is read by more people than a job's config and credentials are.
    nexo_poller::unstable::hide_messages_of_ticks(logs::say);
    // Before anything else: a signal during the start must not leave half a daemon.
    let mut signals = Signals::listen().map_err(BootError::Signals)?;
    // Files and servers that do not answer are no reason not to hear that one is to end.
    let Some(config) = signals.unless_stopped(LoadedConfig::read(path)).await else { return Ok(()) };
    let config = config?;
    let settings = config.file.settings.clone();
    let dir = settings.state_db.parent().unwrap_or(Path::new("")).to_owned();
    let Some(opened) = signals.unless_stopped(open(&settings, &dir)).await else { return Ok(()) };
    let Opened { listeners, world, store } = opened?;
    let (address, remote) = (listeners.local(), listeners.remote());
    // Job state in a bucket has no file.
    let shared_state = settings.broker.as_ref().is_some_and(|broker| broker.state.is_some());
    let state_file = if shared_state { None } else { StateFile::of(settings.state_db.clone()).await };
    let registry = PollerRegistry::new();
    built_in::register(&registry)?;
    let credentials = Arc::new(Credentials::default());
    let undelivered = Arc::new(Undelivered::default());
    let shared = world.clone().map(|world| Arc::new(world) as Arc<dyn Broker>);
    let console = Arc::new(Console::start().map_err(BootError::Stdout)?);
    if let Some(shared) = &shared {
        console.listen_to(&**shared).await?;
    }
    let outbound = OutboundBroker::new(LocalBroker::new(), Arc::clone(&undelivered), Arc::clone(&console));
    let outbound = Arc::new(outbound.with_world(shared.clone()));
    let redactor = Arc::clone(redactor());
    let llm = Arc::new(LlmRegistry::default());
    let services = HostServices::new(outbound, Arc::clone(&credentials) as _)
        .with_llm(Arc::clone(&llm) as _)
        .with_redact(redactor.rule());
    // Absolute: a plugin may change its working directory.
    let homes = std::path::absolute(dir.join("plugins")).unwrap_or_else(|_| dir.join("plugins"));
    let mut plugins = Plugins::new(services, registry.clone()).with_homes(PluginHomes::below(homes));
    if let Some(shared) = shared {
        plugins = plugins.with_remote(shared);
    }
    let (feed, recent) = (Feed::default(), RecentTicks::default());
    let mut options = options_of(&settings);
    options.redact = redactor.rule();
    options.observer = Some({
        let (observer, recent) = (feed.observer(), recent.clone());
        Observer::new(move |event| {
            observer.observe(event);
            recent.note(event);
        })
    });
    let membership = many_machines::join(settings.broker.as_ref(), world.as_ref(), &mut options).await?;
    let runner = PollerRunner::builder(store, registry, plugins.hosts()).options(options).start();
    let daemon = Arc::new(Daemon {
        config: path.to_owned(),
        membership: membership.map(|membership| membership.start(runner.clone())),
        runner,
        plugins,
        credentials,
        llm,
        redactor,
        undelivered,
        feed,
        recent,
        certificate: listeners.certificate(),
        loaded: Mutex::default(),
        reloading: tokio::sync::Mutex::new(()),
        ending: CancellationToken::new(),
        manager: ServiceManager::of_environment(),
        state_file,
    });

    daemon.load(config).await?;
    let address_file = dir.join(ADDRESS_FILE);
    let other_daemon = listeners.other_daemon(&address_file).await;
    let server = listeners.serve(&daemon);
    match other_daemon {
        Some(other) => tracing::warn!(
            "another daemon, at {other}, shares this state: each job runs on one of the two; its `admin.addr` stays, so \
             give this one a port of its own under `admin: {{ bind: … }}` for the command line to find it"
        ),
        None => announce(address_file.clone(), address).await,
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        state = %settings.state_db.display(),
        admin = %address,
        "nexo-poller runs"
    );
    if let Some(url) = remote {
        tracing::info!(%url, "other machines are let in, with the token that they were given");
    }
    let settling = Arc::clone(&daemon);
    tokio::spawn(async move {
        settling.plugins.settled(PLUGINS_SETTLE).await;
        let plugins = settling.plugins.report();
        let up = plugins.iter().filter(|plugin| plugin.is_well()).count();
        for plugin in plugins.iter().filter(|plugin| !plugin.is_well()) {
            tracing::error!(plugin = plugin.id, state = %plugin.state, "{}", plugin.why);
        }
        let failed = plugins.len() - up + settling.plugin_faults().len();
        tracing::info!(up, failed, "plugins are settled");
        let line = || async { DaemonHealth::of(&settling).await.map(|health| health.line()) };
        settling.manager.keep_informed(line).await;
    });

    wait_for_the_end(&daemon, &mut signals).await;
    daemon.manager.stopping();
    tracing::info!("stopping: running ticks are cancelled and committed; a second signal ends at once");
    tokio::spawn(async move {
        while signals.next().await == SignalRequest::Reload {}
        std::process::exit(i32::from(Exit::Failed.code()));
    });
    if tokio::time::timeout(SHUTDOWN, daemon.shutdown(STOP_GRACE)).await.is_err() {
        tracing::warn!("not everything ended in time; ticks that were in flight are repeated from their old cursor");
    }
    drop(server);
    if let Some(membership) = &daemon.membership {
        membership.leave().await;
    }
    if let Some(world) = world {
        world.close().await;
    }
    // Another daemon on the same state may have written its own address since. What hangs here keeps nobody.
    let forget = move || {
        if std::fs::read_to_string(&address_file).is_ok_and(|text| text.trim() == address.to_string()) {
            let _ = std::fs::remove_file(&address_file);
        }
    };
    let _ = within(LAST_WORDS, "admin.addr", forget).await;
    console.flushed(LAST_WORDS).await;
    tracing::info!("stopped");
    Ok(())
}

/// What a daemon has to itself before it does anything.
struct Opened {
    listeners: Listeners,
    world: Option<NatsBroker>,
    store: Arc<dyn StateStore>,
}

async fn open(settings: &Settings, dir: &Path) -> Result<Opened, BootError> {
    let folder = dir.to_owned();
    off_runtime("the directory of `state_db`", move || state_folder::prepare(&folder)).await??;
    let listeners = Listeners::open(&settings.admin, dir).await?;
    let world = many_machines::connect(settings.broker.as_ref()).await?;
    let store = open_state(settings, world.as_ref()).await?;
    Ok(Opened { listeners, world, store })
}

/// Where job state lives: the bucket of many machines, or this machine's file.
async fn open_state(settings: &Settings, world: Option<&NatsBroker>) -> Result<Arc<dyn StateStore>, BootError> {
    if let (Some(world), Some(state)) = (world, settings.broker.as_ref().and_then(|broker| broker.state.as_ref())) {
        let options = JetStreamOptions::default()
            .with_bucket(&state.bucket)
            .with_history(state.history)
            .with_replicas(state.replicas.into());
        return Ok(Arc::new(JetStreamStore::open(world.client(), options).await?));
    }
    let state = settings.state_db.clone();
    // A file that another process holds is waited for, so not on this thread.
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(state, SqliteOptions::default())).await?;
    Ok(Arc::new(store?))
}

fn options_of(settings: &Settings) -> RunnerOptions {
    let mut options = RunnerOptions::default();
    options.default_jitter = Duration::from_millis(settings.default_jitter_ms);
    options.lease_ttl_factor = settings.lease_ttl_factor;
    options.failure_alert_cooldown = Duration::from_secs(settings.failure_alert_cooldown_secs);
    options.breaker_threshold = settings.breaker_threshold;
    options
}

/// Reloads on SIGHUP, returns on SIGTERM and SIGINT.
async fn wait_for_the_end(daemon: &Daemon, signals: &mut Signals) {
    loop {
        if !std::mem::take(&mut signals.reload_asked) && signals.next().await == SignalRequest::Stop {
            return;
        }
        let mut reload = std::pin::pin!(daemon.reload());
        loop {
            tokio::select! {
                // A stop must not wait for a reload that hangs. A file that has changed since this reload has read it is
                // read again after it.
                request = signals.next() => match request {
                    SignalRequest::Stop => return,
                    SignalRequest::Reload => signals.reload_asked = true,
                },
                reloaded = &mut reload => {
                    if let Err(error) = reloaded {
                        tracing::error!("{error}");
                    }
                    break;
                }
            }
        }
    }
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignalRequest {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    /// One was asked for while something else was waited for.
    reload_asked: bool,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            reload_asked: false,
        })
    }

    /// What `work` comes to; `None` where the daemon is to end before.
    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                request = self.next() => match request {
                    SignalRequest::Stop => return None,
                    SignalRequest::Reload => self.reload_asked = true,
                },
            }
        }
    }

    async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            _ = self.terminate.recv() => SignalRequest::Stop,
            _ = self.interrupt.recv() => SignalRequest::Stop,
            _ = self.reload.recv() => SignalRequest::Reload,
        }
    }
}
