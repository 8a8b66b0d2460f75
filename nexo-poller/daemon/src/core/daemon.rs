use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexo_poller::host::LlmRegistry;
use nexo_poller::runner::{JobSpec, JobStatus, PollerRunner, RunnerError, TickReport, UnixMs};
use nexo_poller::store::JobState;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::certificate::Certificate;
use super::cursor_view::CursorChange;
use super::dry_run::{DryRun, DryRunError, dry_run};
use super::remedy::with_remedy;
use super::service_manager::ServiceManager;
use super::state_file::StateFile;
use crate::cluster::membership::Membership;
use crate::config::Settings;
use crate::config::credentials::Credentials;
use crate::config::specs::RefusedJob;
use crate::plugins::report::PluginReport;
use crate::plugins::running::Plugins;
use crate::plugins::set::PluginFault;
use crate::telemetry::feed::Feed;
use crate::telemetry::logs;
use crate::telemetry::recent::RecentTicks;
use crate::telemetry::redactor::Redactor;
use crate::telemetry::undelivered::Undelivered;

/// Everything that runs, as the admin API and the signals see it.
pub(crate) struct Daemon {
    pub(crate) config: PathBuf,
    pub(crate) runner: PollerRunner,
    pub(crate) plugins: Plugins,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) llm: Arc<LlmRegistry>,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) undelivered: Arc<Undelivered>,
    /// What happens to jobs, for whoever listens.
    pub(crate) feed: Feed,
    pub(crate) recent: RecentTicks,
    /// What other machines are shown, where they are let in.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// The daemons that share the jobs, where they are shared.
    pub(crate) membership: Option<Membership>,
    pub(crate) loaded: Mutex<Loaded>,
    /// One reload at a time.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Set where the daemon is stopped.
    pub(crate) ending: CancellationToken,
    /// Who started the daemon, and watches over it.
    pub(crate) manager: ServiceManager,
    /// Where job state is in a file.
    pub(crate) state_file: Option<StateFile>,
}

/// What is in force.
#[derive(Default)]
pub(crate) struct Loaded {
    /// None until the first configuration was put in force.
    pub(crate) settings: Option<Settings>,
    pub(crate) refused: Vec<RefusedJob>,
    /// Why what the file names as a plugin is none.
    pub(crate) plugin_faults: Arc<[PluginFault]>,
}

impl Daemon {
    pub(crate) async fn list(&self) -> Result<Vec<JobStatus>, RunnerError> {
        Ok(self.runner.list().await?.into_iter().map(with_remedy).collect())
    }

    pub(crate) async fn show(&self, id: &str) -> Result<JobStatus, RunnerError> {
        self.runner.show(id).await.map(with_remedy)
    }

    pub(crate) async fn next_firings(&self, id: &str, count: usize) -> Result<Vec<UnixMs>, RunnerError> {
        self.runner.next_firings(id, count).await
    }

    pub(crate) async fn run_now(&self, id: &str) -> Result<TickReport, RunnerError> {
        tracing::info!(job = id, "one tick is asked for by hand");
        self.runner.run_now(id).await
    }

    pub(crate) async fn pause(&self, id: &str, reason: &str, by: &str) -> Result<(), RunnerError> {
        self.runner.pause(id, reason, by).await?;
        self.tell(id);
        tracing::info!(job = id, reason, by, "paused");
        Ok(())
    }

    pub(crate) async fn resume(&self, id: &str) -> Result<(), RunnerError> {
        self.runner.resume(id).await?;
        self.tell(id);
        tracing::info!(job = id, "resumed");
        Ok(())
    }

    pub(crate) async fn reset(&self, id: &str) -> Result<(), RunnerError> {
        self.runner.reset(id).await?;
        self.tell(id);
        tracing::info!(job = id, "reset: the next tick starts from nothing");
        Ok(())
    }

    /// Changes where the job's next tick resumes; what was there can be restored.
    pub(crate) async fn set_cursor(&self, id: &str, change: CursorChange) -> Result<(), RunnerError> {
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

    /// Runs one tick without publishing or saving anything.
    ///
    /// # Errors
    /// [`DryRunError`] where no tick could be run.
    pub(crate) async fn dry_run(&self, spec: &JobSpec, state: &JobState) -> Result<DryRun, DryRunError> {
        dry_run(self.plugins.runner_of(&spec.kind)?, spec, state, self.plugins.services()).await
    }

    /// Lets the daemons that share the jobs know of a change: another one may run the job.
    fn tell(&self, id: &str) {
        if let Some(membership) = &self.membership {
            membership.changed(id);
        }
    }

    /// The file's jobs that are not loaded.
    pub(crate) fn refused(&self) -> Vec<RefusedJob> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    /// Why what the file names as a plugin is none; nothing of one that serves all the same, from before its file was touched.
    pub(crate) fn plugin_faults(&self) -> Vec<String> {
        let faults = Arc::clone(&self.loaded.lock().unwrap_or_else(PoisonError::into_inner).plugin_faults);
        let serves = |fault: &PluginFault| fault.path().is_some_and(|path| self.plugins.serves(path));
        faults.iter().filter(|fault| !serves(fault)).map(ToString::to_string).collect()
    }

    pub(crate) fn plugins(&self) -> Vec<PluginReport> {
        self.plugins.report()
    }

    pub(crate) async fn metrics(&self) -> String {
        let runner = self.runner.metrics_text().await.unwrap_or_default();
        let mut text = runner.trim_end().trim_end_matches("# EOF").to_owned();
        let mut registry = Registry::default();
        self.undelivered.register(&mut registry);
        logs::register(&mut registry);
        if let Some(membership) = &self.membership {
            membership.register(&mut registry);
        }
        self.plugins.register(&mut registry);
        // Writing to a string cannot fail.
        let _ = encode_registry(&mut text, &registry);
        self.llm.write_metrics(&mut text);
        let _ = encode_eof(&mut text);
        text
    }

    /// Stops ticks, lets running ones end, commits, releases leases, stops plugins. Plugins are told at once: the protocol
    /// has no other word to cancel a tick, and they answer those that run before they end.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        self.ending.cancel();
        tokio::join!(self.runner.shutdown(grace), self.plugins.shutdown(grace));
    }
}
