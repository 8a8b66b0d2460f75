use std::sync::Arc;
use std::time::Duration;

use super::observe::Observer;
use super::policy::Rules;
use super::sharing::Sharing;
use crate::contract::Redact;

/// How a runner behaves. [`Default`] is what `pollers.yaml` means when it says nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunnerOptions {
    /// In whose name leases are taken. Must differ between daemons that share a store; the default is random.
    pub owner: String,
    /// Cron jobs start up to this much after their slot (a fraction seeded by the job's id and the slot), and never by
    /// more than a quarter of the job's shortest distance. A schedule's own jitter stands above it.
    pub default_jitter: Duration,
    /// A lease holds for this many intervals, at least [`min_lease_ttl`](Self::min_lease_ttl), at most five minutes or
    /// what the tick's deadline needs: it is renewed while the tick runs, so longer would only delay a takeover.
    pub lease_ttl_factor: f64,
    /// The shortest lease.
    pub min_lease_ttl: Duration,
    /// Between two failure alerts of one job.
    pub failure_alert_cooldown: Duration,
    /// Consecutive transient failures that open a job's breaker; 0 never opens it.
    pub breaker_threshold: u32,
    /// The breaker's first cool-down; it doubles with each failed probe.
    pub breaker_cooldown: Duration,
    /// The breaker's longest cool-down.
    pub breaker_cooldown_cap: Duration,
    /// The first retry comes within this.
    pub backoff_base: Duration,
    /// A retry comes within this at the latest, or within the job's interval where that is longer.
    pub backoff_cap: Duration,
    /// A run that is late by no more than this is run late; beyond, the job's `catch_up` decides.
    pub misfire_grace: Duration,
    /// Missed runs of many jobs start spread over this.
    pub misfire_spread: Duration,
    /// Ticks that run at once, over all kinds.
    pub max_in_flight: usize,
    /// After a tick's deadline (or a shutdown) its `cancel` has fired; this long it may still end by itself.
    pub cancel_grace: Duration,
    /// Starts and commits that fall within this are written together (seven times this, while there are only a few). It is
    /// the price in lag of each tick's durability.
    pub batch_window: Duration,
    /// The wall clock is looked at again after this at the latest, so that a machine that slept or a clock that was set is
    /// noticed.
    pub clock_check: Duration,
    /// Jobs with metric series of their own; the others share the job `_other`.
    pub metrics_max_jobs: usize,
    /// With whom this daemon shares its jobs; without it, it takes whatever is due.
    pub sharing: Option<Arc<Sharing>>,
    /// Seeds the backoff's jitter; the default is random.
    pub seed: u64,
    /// Receives every event of the jobs. Default: none.
    pub observer: Option<Observer>,
    /// Takes secrets out of what failed ticks and refused configs say, before anything of it is kept, logged or told. By default
    /// it knows none.
    pub redact: Redact,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        let random = super::seed::random();
        Self {
            owner: format!("runner-{}-{random:016x}", std::process::id()),
            default_jitter: Duration::from_secs(5),
            lease_ttl_factor: 2.0,
            min_lease_ttl: Duration::from_secs(30),
            failure_alert_cooldown: Duration::from_secs(3600),
            breaker_threshold: 5,
            breaker_cooldown: Duration::from_secs(30),
            breaker_cooldown_cap: Duration::from_secs(300),
            backoff_base: Duration::from_secs(5),
            backoff_cap: Duration::from_secs(1800),
            misfire_grace: Duration::from_secs(60),
            misfire_spread: Duration::from_secs(60),
            max_in_flight: 1024,
            cancel_grace: Duration::from_secs(5),
            batch_window: Duration::from_millis(3),
            clock_check: Duration::from_secs(20),
            metrics_max_jobs: 2_000,
            sharing: None,
            seed: random,
            observer: None,
            redact: Redact::default(),
        }
    }
}

impl From<&RunnerOptions> for Rules {
    fn from(options: &RunnerOptions) -> Self {
        Self {
            default_jitter: options.default_jitter,
            breaker_threshold: options.breaker_threshold,
            breaker_cooldown: options.breaker_cooldown,
            breaker_cooldown_cap: options.breaker_cooldown_cap,
            backoff_base: options.backoff_base,
            backoff_cap: options.backoff_cap,
            misfire_grace: options.misfire_grace,
            failure_alert_cooldown: options.failure_alert_cooldown,
        }
    }
}
