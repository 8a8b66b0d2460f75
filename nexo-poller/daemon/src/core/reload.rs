use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nexo_poller::runner::{ReloadPlan, RunnerError};

use super::daemon::{Daemon, Loaded};
use super::loaded_config::{LoadError, LoadedConfig};
use crate::config::specs::RefusedJob;
use crate::config::{Settings, off_runtime};

/// New plugins are waited for this long.
pub(crate) const PLUGINS_SETTLE: Duration = Duration::from_secs(10);

/// What a reload has done, or would do.
#[derive(Debug)]
pub(crate) struct Reloaded {
    pub(crate) plan: ReloadPlan,
    /// Jobs that were left out, and why.
    pub(crate) refused: Vec<RefusedJob>,
    /// Plugins that cannot be used, each with a sentence that says why.
    pub(crate) plugin_faults: Vec<String>,
}

/// Why a reload changed nothing, or only something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// Nothing was changed.
    #[error("nothing was changed:\n{0}")]
    Load(#[from] LoadError),
    /// The daemon is being stopped.
    #[error("the daemon ends: its next start reads the file")]
    Ending,
    /// The runner did not take the jobs.
    #[error("the jobs were not taken: {0}")]
    Runner(#[from] RunnerError),
}

/// Whether new plugins are waited for before the jobs are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewPlugins {
    /// Who asked for the reload finds its new kinds at work when it is answered.
    AwaitedFirst,
    /// The first start answers at once; jobs whose plugin is still starting wait for it.
    ComeUpLater,
}

impl Daemon {
    /// What [`reload`](Self::reload) would do now; changes nothing.
    ///
    /// # Errors
    /// [`ReloadError`]: so would the reload.
    pub(crate) async fn plan_reload(&self) -> Result<Reloaded, ReloadError> {
        let _turn = self.reloading.lock().await;
        let config = LoadedConfig::read(&self.config).await?;
        let mut plan = self.runner.plan(&config.specs).await?;
        // Jobs whose new definition is wrong go on with the old one.
        let (kept, remove): (Vec<String>, _) =
            plan.remove.into_iter().partition(|id| config.refused.iter().any(|refused| refused.id == *id));
        plan.remove = remove;
        plan.keep.extend(kept);
        plan.keep.sort_unstable();
        let plugin_faults = config.plugins.faults.iter().map(ToString::to_string).collect();
        Ok(Reloaded { plan, refused: config.refused, plugin_faults })
    }

    /// Reads everything again; where all of it can be used, applies what changed.
    ///
    /// # Errors
    /// [`ReloadError`]; on a wrong file everything goes on as before.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadError> {
        tokio::select! {
            biased;
            // A stop must not wait for a reload that hangs, and none begins once it is decided.
            () = self.ending.cancelled() => Err(ReloadError::Ending),
            reloaded = self.reload_all() => reloaded,
        }
    }

    async fn reload_all(&self) -> Result<Reloaded, ReloadError> {
        let _turn = self.reloading.lock().await;
        let _reported = self.manager.reloading();
        let config = LoadedConfig::read(&self.config).await?;
        let reloaded = self.put_in_force(config, NewPlugins::AwaitedFirst).await?;
        let plan = &reloaded.plan;
        let (add, replace, remove, keep) = (plan.add.len(), plan.replace.len(), plan.remove.len(), plan.keep.len());
        tracing::info!(add, replace, remove, keep, refused = reloaded.refused.len(), "reloaded");
        Ok(reloaded)
    }

    /// The first reload: nothing ran before, and nobody waits for its answer.
    ///
    /// # Errors
    /// [`RunnerError`]: the daemon cannot start.
    pub(crate) async fn load(&self, config: LoadedConfig) -> Result<(), RunnerError> {
        let _turn = self.reloading.lock().await;
        let (found, enabled) = (config.file.found, config.file.settings.enabled);
        let usable = if enabled { config.specs.len() } else { config.file.jobs.len() };
        let loaded = self.put_in_force(config, NewPlugins::ComeUpLater).await?;
        let refused = found.saturating_sub(usable) + loaded.plan.rejected.len();
        tracing::info!(loaded = loaded.plan.add.len() + loaded.plan.replace.len(), refused, enabled, "jobs");
        Ok(())
    }

    /// Makes `config` what the daemon does.
    async fn put_in_force(&self, config: LoadedConfig, new: NewPlugins) -> Result<Reloaded, RunnerError> {
        self.warn_of_fixed_settings(&config.file.settings);
        let granted = config.plugins.granted();
        let configs = config.specs.iter().map(|job| &job.config).chain([&granted]);
        let addresses = config.file.settings.broker.iter().map(|broker| broker.url.as_str());
        self.redactor.learn(&config.secrets, configs, addresses, config.plugins.environments());
        self.credentials.replace(config.secrets.accounts);
        // A new client reads the certificates that the system trusts.
        let (llm, models) = (Arc::clone(&self.llm), config.secrets.llm);
        match off_runtime("trusted certificates", move || llm.replace(models)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("{error}; language models stay as they were"),
            Err(error) => tracing::error!("{error}; language models stay as they were"),
        }
        if let Some(certificate) = self.certificate.clone() {
            match off_runtime("the certificate", move || certificate.reload()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("{error}; the old certificate stays"),
                Err(error) => tracing::error!("{error}; the old certificate stays"),
            }
        }
        // New plugins come before the jobs that need them; old ones leave after theirs.
        self.plugins.add(&config.plugins).await;
        self.plugins.set_remote(&config.plugins);
        if new == NewPlugins::AwaitedFirst {
            self.plugins.settled(PLUGINS_SETTLE).await;
        }
        // A typing mistake in one job, or a binary that is just being replaced, stops nothing that runs.
        let refused: Vec<String> = config.refused.iter().map(|refused| refused.id.clone()).collect();
        let plan = self.runner.apply_keeping(config.specs, &refused).await?;
        for fault in &config.plugins.faults {
            tracing::error!("{fault}");
        }
        for refused in &config.refused {
            tracing::error!("{}", refused.problem);
        }
        for rejected in &plan.rejected {
            tracing::error!("job `{}` is not loaded: {}", rejected.id, rejected.reason);
        }
        for id in refused.iter().filter(|id| plan.keep.contains(id)) {
            tracing::warn!(job = id, "its new definition is wrong: it goes on with the old one");
        }
        if config.plugins.faults.is_empty() {
            self.plugins.retain(&config.plugins).await;
            if new == NewPlugins::AwaitedFirst {
                self.plugins.settled(PLUGINS_SETTLE).await;
            }
        } else if new == NewPlugins::AwaitedFirst {
            tracing::warn!("no plugin is taken away while some cannot be used");
        }
        let plugin_faults = config.plugins.faults.iter().map(ToString::to_string).collect();
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Loaded {
            settings: Some(config.file.settings),
            refused: config.refused.clone(),
            plugin_faults: config.plugins.faults.into(),
        };
        Ok(Reloaded { plan, refused: config.refused, plugin_faults })
    }

    /// Some settings are read at boot only.
    fn warn_of_fixed_settings(&self, new: &Settings) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(old) = &loaded.settings else { return };
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
}
