use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::admin::{Certificate, ReloadAnswer};
use super::credentials::{self, Credentials, CredentialsFile};
use super::cursor_view::CursorChange;
use super::dry_run::{DryRun, dry_run};
use super::feed::Feed;
use super::file::{PollersFile, RefusedFile, Settings};
use super::jobs::{RefusedJob, specs_of};
use super::neighbours::Neighbours;
use super::plugin_report::PluginReport;
use super::plugin_set::{PluginFault, PluginSet};
use super::plugins::Plugins;
use super::recent::RecentTicks;
use super::redactor::Redactor;
use super::service_manager::ServiceManager;
use super::unheard::Unheard;
use crate::host::LlmRegistry;
use crate::runner::{JobSpec, JobStatus, PollerRunner, RunnerError, TickReport, UnixMs};
use crate::store::JobState;

/// New plugins are waited for this long.
pub(super) const PLUGINS_SETTLE: Duration = Duration::from_secs(10);

/// Everything that runs, as the admin API and the signals see it.
pub(super) struct Daemon {
    pub(super) config: PathBuf,
    pub(super) runner: PollerRunner,
    pub(super) plugins: Plugins,
    pub(super) credentials: Arc<Credentials>,
    pub(super) llm: Arc<LlmRegistry>,
    pub(super) redactor: Arc<Redactor>,
    pub(super) unheard: Arc<Unheard>,
    /// What happens to jobs, for whoever listens.
    pub(super) feed: Feed,
    pub(super) recent: RecentTicks,
    /// What other machines are shown, where they are let in.
    pub(super) certificate: Option<Arc<Certificate>>,
    /// The daemons that share the jobs, where they are shared.
    pub(super) neighbours: Option<Neighbours>,
    pub(super) loaded: Mutex<Loaded>,
    /// One reload at a time.
    pub(super) reloading: tokio::sync::Mutex<()>,
    /// Who started the daemon, and watches over it.
    pub(super) manager: ServiceManager,
}

/// What was last read.
pub(super) struct Loaded {
    pub(super) settings: Settings,
    pub(super) refused: Vec<RefusedJob>,
    /// Why what the file names as a plugin is none.
    pub(super) plugin_faults: Vec<PluginFault>,
}

/// Everything that a boot or a reload reads, judged before anything is changed.
pub(super) struct Readings {
    pub(super) file: PollersFile,
    pub(super) secrets: CredentialsFile,
    pub(super) plugins: PluginSet,
    pub(super) specs: Vec<JobSpec>,
    pub(super) refused: Vec<RefusedJob>,
}

/// Why nothing was changed.
#[derive(Debug)]
pub(super) enum ReadError {
    /// A file is wrong.
    File(RefusedFile),
    /// The plugins do not go together.
    Plugins(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(refused) => refused.fmt(f),
            Self::Plugins(sentence) => f.write_str(sentence),
        }
    }
}

/// Why a reload changed nothing, or only something.
#[derive(Debug)]
pub(super) enum ReloadError {
    /// Nothing was changed.
    Read(ReadError),
    /// The runner did not take the jobs.
    Runner(RunnerError),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "nothing was changed:\n{error}"),
            Self::Runner(error) => write!(f, "the jobs were not taken: {error}"),
        }
    }
}

impl Readings {
    /// Reads the file at `config` and what it names.
    ///
    /// # Errors
    /// [`ReadError`]: nothing of it may be used.
    pub(super) async fn take(config: &std::path::Path) -> Result<Self, ReadError> {
        let file = PollersFile::load(config).map_err(ReadError::File)?;
        let secrets = match &file.settings.credentials {
            Some(path) => credentials::load(path).map_err(ReadError::File)?,
            None => CredentialsFile::default(),
        };
        let plugins = PluginSet::discover(&file.settings).await.map_err(ReadError::Plugins)?;
        let (mut specs, problems) = specs_of(&file, &plugins.kinds());
        if !file.settings.enabled {
            specs.clear();
        }
        let refused = problems.iter().map(RefusedJob::from).collect();
        Ok(Self { file, secrets, plugins, specs, refused })
    }
}

impl Daemon {
    pub(super) async fn list(&self) -> Result<Vec<JobStatus>, RunnerError> {
        self.runner.list().await
    }

    pub(super) async fn show(&self, id: &str) -> Result<JobStatus, RunnerError> {
        self.runner.show(id).await
    }

    pub(super) async fn next_firings(&self, id: &str, count: usize) -> Result<Vec<UnixMs>, RunnerError> {
        self.runner.next_firings(id, count).await
    }

    pub(super) async fn run_now(&self, id: &str) -> Result<TickReport, RunnerError> {
        tracing::info!(job = id, "one tick is asked for by hand");
        self.runner.run_now(id).await
    }

    pub(super) async fn pause(&self, id: &str, reason: &str, by: &str) -> Result<(), RunnerError> {
        self.runner.pause(id, reason, by).await?;
        self.tell(id);
        tracing::info!(job = id, reason, by, "paused");
        Ok(())
    }

    pub(super) async fn resume(&self, id: &str) -> Result<(), RunnerError> {
        self.runner.resume(id).await?;
        self.tell(id);
        tracing::info!(job = id, "resumed");
        Ok(())
    }

    pub(super) async fn reset(&self, id: &str) -> Result<(), RunnerError> {
        self.runner.reset(id).await?;
        self.tell(id);
        tracing::info!(job = id, "reset: the next tick starts from nothing");
        Ok(())
    }

    /// Changes where the job's next tick resumes; what was there can be restored.
    pub(super) async fn set_cursor(&self, id: &str, change: CursorChange) -> Result<(), RunnerError> {
        let cursor = match change {
            CursorChange::Set(bytes) => Some(bytes),
            CursorChange::Clear => None,
            CursorChange::Restore => self.runner.inspect(id).await?.1.previous_cursor.map(<[u8]>::into_vec),
        };
        self.runner.set_cursor(id, cursor).await?;
        self.tell(id);
        tracing::info!(job = id, "its cursor was changed by hand; `cursor --restore` brings back the one before");
        Ok(())
    }

    /// Runs one tick of which nothing remains.
    ///
    /// # Errors
    /// A sentence, where no tick could be run.
    pub(super) async fn dry_run(&self, spec: &JobSpec, state: &JobState) -> Result<DryRun, String> {
        dry_run(self.plugins.runner_of(&spec.kind)?, spec, state, self.plugins.services()).await
    }

    /// Lets the daemons that share the jobs know of a change: another one may run the job.
    fn tell(&self, id: &str) {
        if let Some(neighbours) = &self.neighbours {
            neighbours.changed(id);
        }
    }

    /// The file's jobs that are not loaded.
    pub(super) fn refused(&self) -> Vec<RefusedJob> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    /// Why what the file names as a plugin is none; nothing of one that serves all the same, from before its file was touched.
    pub(super) fn plugin_faults(&self) -> Vec<String> {
        let faults = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).plugin_faults.clone();
        let serves = |fault: &PluginFault| fault.path.as_ref().is_some_and(|path| self.plugins.serves(path));
        faults.iter().filter(|fault| !serves(fault)).map(ToString::to_string).collect()
    }

    pub(super) fn plugins(&self) -> Vec<PluginReport> {
        self.plugins.report()
    }

    pub(super) async fn metrics(&self) -> String {
        let runner = self.runner.metrics_text().await.unwrap_or_default();
        let mut text = runner.trim_end().trim_end_matches("# EOF").to_owned();
        self.unheard.write_metrics(&mut text);
        if let Some(neighbours) = &self.neighbours {
            neighbours.write_metrics(&mut text);
        }
        self.plugins.write_metrics(&mut text);
        self.llm.write_metrics(&mut text);
        text.push_str("# EOF\n");
        text
    }

    /// What [`reload`](Self::reload) would do now; changes nothing.
    ///
    /// # Errors
    /// [`ReloadError`]: so would the reload.
    pub(super) async fn plan_reload(&self) -> Result<ReloadAnswer, ReloadError> {
        let _turn = self.reloading.lock().await;
        let readings = Readings::take(&self.config).await.map_err(ReloadError::Read)?;
        let mut plan = self.runner.plan(&readings.specs).await.map_err(ReloadError::Runner)?;
        // Jobs whose new definition is wrong go on with the old one.
        let (kept, remove): (Vec<String>, _) =
            plan.remove.into_iter().partition(|id| readings.refused.iter().any(|refused| refused.id == *id));
        plan.remove = remove;
        plan.keep.extend(kept);
        plan.keep.sort_unstable();
        let plugin_faults = readings.plugins.faults.iter().map(ToString::to_string).collect();
        Ok(ReloadAnswer { plan, refused: readings.refused, plugin_faults })
    }

    /// Reads everything again; where all of it can be used, applies what changed.
    ///
    /// # Errors
    /// [`ReloadError`]; on a wrong file everything goes on as before.
    pub(super) async fn reload(&self) -> Result<ReloadAnswer, ReloadError> {
        let _turn = self.reloading.lock().await;
        let _told = self.manager.reloading();
        let readings = Readings::take(&self.config).await.map_err(ReloadError::Read)?;
        self.warn_of_fixed_settings(&readings.file.settings);
        self.redactor.learn(&readings);
        self.use_secrets(readings.secrets);
        if let Some(Err(sentence)) = self.certificate.as_ref().map(|certificate| certificate.reload()) {
            tracing::error!("{sentence}; the old certificate stays");
        }
        // New plugins come before the jobs that need them; old ones leave after theirs.
        self.plugins.add(&readings.plugins).await;
        self.plugins.set_remote(&readings.plugins);
        // Who asked for the reload finds its new kinds at work when it is answered.
        self.plugins.settled(PLUGINS_SETTLE).await;
        // A typing mistake in one job, or a binary that is just being replaced, stops nothing that runs.
        let refused: Vec<String> = readings.refused.iter().map(|refused| refused.id.clone()).collect();
        let plan = self.runner.apply_keeping(readings.specs, &refused).await.map_err(ReloadError::Runner)?;
        for id in refused.iter().filter(|id| plan.keep.contains(id)) {
            tracing::warn!(job = id, "its new definition is wrong: it goes on with the old one");
        }
        if readings.plugins.faults.is_empty() {
            self.plugins.retain(&readings.plugins).await;
        } else {
            tracing::warn!("no plugin is taken away while some cannot be used");
        }
        {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.settings = readings.file.settings;
            loaded.refused.clone_from(&readings.refused);
            loaded.plugin_faults.clone_from(&readings.plugins.faults);
        }
        for fault in &readings.plugins.faults {
            tracing::error!("{fault}");
        }
        for refused in &readings.refused {
            tracing::error!("{}", refused.problem);
        }
        let (add, replace, remove, keep) = (plan.add.len(), plan.replace.len(), plan.remove.len(), plan.keep.len());
        tracing::info!(add, replace, remove, keep, refused = readings.refused.len(), "reloaded");
        let plugin_faults = readings.plugins.faults.iter().map(ToString::to_string).collect();
        Ok(ReloadAnswer { plan, refused: readings.refused, plugin_faults })
    }

    /// From now on ticks are answered with these.
    pub(super) fn use_secrets(&self, secrets: CredentialsFile) {
        self.credentials.replace(secrets.accounts);
        if let Err(error) = self.llm.replace(secrets.llm) {
            tracing::error!("{error}; language models stay as they were");
        }
    }

    /// Some settings are read at boot only.
    fn warn_of_fixed_settings(&self, new: &Settings) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let old = &loaded.settings;
        for (key, differs) in [
            ("state_db", old.state_db != new.state_db),
            ("broker.url", old.broker.as_ref().map(|b| &b.url) != new.broker.as_ref().map(|b| &b.url)),
            ("broker.state", old.broker.as_ref().map(|b| &b.state) != new.broker.as_ref().map(|b| &b.state)),
            ("broker.stored", old.broker.as_ref().map(|b| &b.stored) != new.broker.as_ref().map(|b| &b.stored)),
            ("admin", old.admin != new.admin),
            ("default_jitter_ms", old.default_jitter_ms != new.default_jitter_ms),
            ("lease_ttl_factor", old.lease_ttl_factor.to_bits() != new.lease_ttl_factor.to_bits()),
            ("failure_alert_cooldown_secs", old.failure_alert_cooldown_secs != new.failure_alert_cooldown_secs),
            ("breaker_threshold", old.breaker_threshold != new.breaker_threshold),
        ] {
            if differs {
                tracing::warn!(key, "this setting is read at start only: restart the daemon to apply it");
            }
        }
    }

    /// Stops ticks, lets running ones end, commits, releases leases, stops plugins. Plugins are told at once: the protocol
    /// has no other word to cancel a tick, and they answer those that run before they end.
    pub(super) async fn shutdown(&self, grace: Duration) {
        tokio::join!(self.runner.shutdown(grace), self.plugins.shutdown(grace));
    }
}
