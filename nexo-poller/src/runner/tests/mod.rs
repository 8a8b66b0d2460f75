//! The engine on a paused clock: hours pass in milliseconds, and every run of a test is the same. `NEXO_TEST_SEEDS=10000` asks
//! for the long form of the simulations, which print their figures under `--nocapture`.

mod clock;
mod edits;
mod fences;
mod leases;
mod limits;
mod lost_rows;
mod manual;
mod observed;
mod poison;
mod refusals;
mod reload;
mod sharing;
mod store_trouble;
mod together;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::contract::{
    HostError, LlmInvokeRequest, LlmInvokeResponse, LogLevel, PollContext, Poller, PollerError, PollerHost, TickAck,
};
use crate::store::{MemoryStore, StateStore};

/// 2026-05-17T10:00:00Z.
const START: UnixMs = UnixMs(1_779_012_000_000);

type Tick = Pin<Box<dyn Future<Output = Result<TickAck, PollerError>> + Send>>;

/// A poller made of a closure.
struct Scripted {
    kind: &'static str,
    tick: Box<dyn Fn(PollContext) -> Tick + Send + Sync>,
}

#[async_trait]
impl Poller for Scripted {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        match config.get("bad") {
            Some(_) => Err(PollerError::config("`bad` is not a known key")),
            None => Ok(()),
        }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        (self.tick)(ctx.clone()).await
    }
}

fn scripted<F>(kind: &'static str, tick: impl Fn(PollContext) -> F + Send + Sync + 'static) -> Arc<dyn Poller>
where
    F: Future<Output = Result<TickAck, PollerError>> + Send + 'static,
{
    Arc::new(Scripted { kind, tick: Box::new(move |ctx| Box::pin(tick(ctx))) })
}

/// Counts up in its cursor.
fn counting(kind: &'static str) -> Arc<dyn Poller> {
    scripted(kind, |ctx| async move { TickAck::with_cursor(&(count_of(ctx.cursor.as_deref()) + 1)) })
}

fn count_of(cursor: Option<&[u8]>) -> u64 {
    cursor.map_or(0, |cursor| std::str::from_utf8(cursor).unwrap().parse().unwrap())
}

/// Remembers what it is given, and which ticks there were.
#[derive(Default)]
struct Recorder {
    published: Mutex<Vec<(String, Value)>>,
}

/// A host provider that writes down each tick it serves.
#[derive(Clone, Default)]
struct Hosts {
    recorder: Arc<Recorder>,
    ticks: Arc<Mutex<Vec<TickIdentity>>>,
}

impl HostProvider for Hosts {
    fn host_for(&self, tick: &TickIdentity) -> Arc<dyn PollerHost> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner).push(tick.clone());
        Arc::clone(&self.recorder) as Arc<dyn PollerHost>
    }
}

#[async_trait]
impl PollerHost for Recorder {
    async fn broker_publish(&self, topic: String, payload: Vec<u8>) -> Result<(), HostError> {
        let payload = serde_json::from_slice(&payload).unwrap();
        self.published.lock().unwrap().push((topic, payload));
        Ok(())
    }
    async fn credentials_get(&self, channel: String) -> Result<Value, HostError> {
        Ok(json!({"channel": channel, "account_id": "bot"}))
    }
    async fn log(&self, _: LogLevel, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }
    async fn metric_inc(&self, _: String, _: Value) -> Result<(), HostError> {
        Ok(())
    }
    async fn llm_invoke(&self, _: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        Err(HostError::unavailable("none"))
    }
}

/// A runner on virtual time.
struct Rig {
    runner: PollerRunner,
    registry: PollerRegistry,
    hosts: Hosts,
    clock: Arc<VirtualClock>,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::at(START));
        let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
        Self::on(store, clock, RunnerOptions::default())
    }

    fn on(store: Arc<dyn StateStore>, clock: Arc<VirtualClock>, options: RunnerOptions) -> Self {
        let (registry, hosts) = (PollerRegistry::new(), Hosts::default());
        let options = RunnerOptions { seed: 7, ..options };
        let runner = PollerRunner::builder(store, registry.clone(), hosts.clone())
            .options(options)
            .clock(Arc::clone(&clock))
            .start();
        Self { runner, registry, hosts, clock }
    }

    fn register(&self, poller: Arc<dyn Poller>, max_concurrent_ticks: usize) {
        let limits = KindLimits::new(max_concurrent_ticks, Duration::from_secs(20));
        self.registry.register(poller, limits).unwrap();
    }

    async fn apply(&self, jobs: Vec<JobSpec>) -> ReloadPlan {
        self.runner.apply(jobs).await.unwrap()
    }

    async fn show(&self, id: &str) -> JobStatus {
        self.runner.show(id).await.unwrap()
    }

    /// Ticks so far, by job.
    fn ticks(&self) -> HashMap<String, Vec<TickIdentity>> {
        let mut ticks: HashMap<String, Vec<TickIdentity>> = HashMap::new();
        for tick in self.hosts.ticks.lock().unwrap().iter() {
            ticks.entry(tick.job_id.to_string()).or_default().push(tick.clone());
        }
        ticks
    }

    fn tick_count(&self, id: &str) -> usize {
        self.ticks().get(id).map_or(0, Vec::len)
    }
}

async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

fn job(id: &str, kind: &str, secs: u64) -> JobSpec {
    JobSpec::new(id, kind, "ana", Schedule::every(Duration::from_secs(secs)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_at_each_slot_from_the_cursor_of_the_run_before() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "count", 60)]).await;
    pass(600).await;
    let status = rig.show("a").await;
    assert_eq!((status.ticks_ok, status.ticks_failed), (10, 0));
    let ticks = rig.ticks().remove("a").unwrap();
    for (index, pair) in ticks.windows(2).enumerate() {
        assert_eq!((pair[1].run_key.unwrap() - pair[0].run_key.unwrap()).to_std(), Ok(Duration::from_secs(60)));
        assert_eq!(count_of(pair[1].cursor_before.as_deref()), index as u64 + 1);
    }
    assert_eq!(status.phase, JobPhase::Scheduled);
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_last_run_ended() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let mut seen = 0;
    for _ in 0..5 {
        let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, Arc::clone(&clock), RunnerOptions::default());
        rig.register(counting("count"), 4);
        rig.apply(vec![job("a", "count", 60)]).await;
        pass(300).await;
        let ticks = rig.ticks().remove("a").unwrap();
        assert_eq!(count_of(ticks[0].cursor_before.as_deref()), seen);
        seen += ticks.len() as u64;
        rig.runner.shutdown(Duration::from_secs(5)).await;
    }
    assert_eq!(seen, 25);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_once_within_the_cooldown_through_the_host() {
    let rig = Rig::new();
    rig.register(scripted("broken", |_| async { Err(PollerError::transient("no answer")) }), 4);
    let mut spec = job("a", "broken", 60);
    spec.failure_to = Some(FailureTarget { channel: "telegram".into(), to: "42".into() });
    rig.apply(vec![spec]).await;
    pass(3000).await;
    let published = rig.hosts.recorder.published.lock().unwrap().clone();
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(published[0].0, "plugin.outbound.telegram.bot");
    assert!(published[0].1["text"].as_str().unwrap().starts_with("job a (broken) failed 5 times in a row"));
    let status = rig.show("a").await;
    assert_eq!((status.phase, status.breaker), (JobPhase::BreakerOpen, BreakerState::Open));
    assert!(status.why.contains("the cause: no answer"), "{}", status.why);
}

#[tokio::test(start_paused = true)]
async fn the_cooldown_of_an_alert_outlives_restarts() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let mut told = Vec::new();
    for seconds in [700, 700, 700, 1600, 700] {
        let rig = Rig::on(Arc::clone(&store) as Arc<dyn StateStore>, Arc::clone(&clock), RunnerOptions::default());
        rig.register(scripted("broken", |_| async { Err(PollerError::permanent("no answer")) }), 4);
        let mut spec = job("a", "broken", 60);
        spec.failure_to = Some(FailureTarget { channel: "telegram".into(), to: "42".into() });
        rig.apply(vec![spec]).await;
        rig.runner.resume("a").await.unwrap();
        pass(seconds).await;
        assert!(rig.tick_count("a") > 0);
        told.push(rig.hosts.recorder.published.lock().unwrap().len());
        rig.runner.shutdown(Duration::from_secs(5)).await;
    }
    assert_eq!(told, [1, 0, 0, 0, 1], "one alert an hour, however often the runner starts");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_pauses_with_its_reason_until_resumed() {
    let rig = Rig::new();
    rig.register(scripted("gone", |_| async { Err(PollerError::permanent("the project is gone")) }), 4);
    rig.apply(vec![job("a", "gone", 60)]).await;
    pass(600).await;
    assert_eq!(rig.tick_count("a"), 1);
    let status = rig.show("a").await;
    assert_eq!(status.phase, JobPhase::Paused);
    assert!(
        status.why.starts_with("paused by runner since ") && status.why.ends_with(": the project is gone"),
        "{}",
        status.why
    );
    let by_hand = rig.runner.run_now("a").await.unwrap();
    assert_eq!(by_hand.next_due, None, "a paused job does not run again by itself");
    rig.runner.resume("a").await.unwrap();
    pass(60).await;
    assert_eq!(rig.tick_count("a"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_by_hand_commits_its_cursor_and_leaves_the_schedule_alone() {
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.apply(vec![job("a", "count", 3600)]).await;
    let planned = rig.show("a").await.next_slot;
    let report = rig.runner.run_now("a").await.unwrap();
    assert_eq!(report.outcome.as_str(), "ok");
    let status = rig.show("a").await;
    assert_eq!((status.next_slot, status.cursor_bytes), (planned, 1));
    assert_eq!(rig.runner.run_now("nobody").await.unwrap_err().to_string(), "there is no job `nobody`");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_have_the_names_of_the_field_and_a_bound() {
    let clock = Arc::new(VirtualClock::at(START));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    let rig = Rig::on(store, clock, RunnerOptions { metrics_max_jobs: 2, ..RunnerOptions::default() });
    rig.register(counting("count"), 64);
    rig.apply((0..10).map(|n| job(&format!("job_{n}"), "count", 60)).collect()).await;
    pass(60).await;
    let text = rig.runner.metrics_text().await.unwrap();
    for line in [
        r#"poller_ticks_total{kind="count",agent="ana",job_id="job_0",status="ok"} 1"#,
        r#"poller_ticks_total{kind="count",agent="_other",job_id="_other",status="ok"} 8"#,
        r#"poller_latency_ms_count{kind="count",agent="ana",job_id="job_0"} 1"#,
        r#"poller_items_seen_total{kind="count",agent="ana",job_id="job_1"} 0"#,
        r#"poller_items_dispatched_total{kind="count",agent="ana",job_id="job_1"} 0"#,
        r#"poller_consecutive_errors{job_id="job_1"} 0"#,
        r#"poller_breaker_state{job_id="job_1"} 0"#,
        r#"poller_lease_takeovers_total{job_id="job_1"} 0"#,
        "poller_schedule_lag_ms_count 10",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("job_2"), "series are bounded");
}

/// How often a test that has a long form goes round.
fn rounds(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |rounds| rounds.parse().unwrap())
}
