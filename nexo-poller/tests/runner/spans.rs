//! Each tick has a span with what tells it from all others, and how it ended. In a process of its own: whether a span is
//! wanted is remembered by process, and other tests want none.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexo_poller::contract::PollerHost;
use nexo_poller::prelude::*;
use nexo_poller::runner::{HostProvider, JobSpec, KindLimits, PollerRegistry, PollerRunner, Schedule, TickIdentity};
use nexo_poller::store::{MemoryStore, UnixMs, VirtualClock};
use nexo_poller_testkit::MockPollerHost;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::own_process;

/// Keeps the fields of each span called `tick`.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, BTreeMap<&'static str, String>>>>);

struct Fields<'f>(&'f mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "tick"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        let id = spans.len() as u64 + 1;
        span.record(&mut Fields(spans.entry(id).or_default()));
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(self.0.lock().unwrap().entry(span.into_u64()).or_default()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Ends each tick as its job's config says.
struct Told;

#[async_trait]
impl Poller for Told {
    fn kind(&self) -> &'static str {
        "told"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        match ctx.config["end"].as_str() {
            Some("transient") => Err(PollerError::transient("no answer")),
            Some("permanent") => Err(PollerError::permanent("gone")),
            _ => TickAck::with_cursor(&1),
        }
    }
}

struct Mock;

impl HostProvider for Mock {
    fn host_for(&self, _: &TickIdentity) -> Arc<dyn PollerHost> {
        Arc::new(MockPollerHost::new())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_has_a_span_with_job_kind_agent_run_key_attempt_and_outcome() {
    if !own_process::is_alone("spans::a_tick_has_a_span_with_job_kind_agent_run_key_attempt_and_outcome") {
        return;
    }
    let spans = Spans::default();
    tracing::subscriber::set_global_default(spans.clone()).unwrap();
    let clock = Arc::new(VirtualClock::at(UnixMs(1_779_012_000_000)));
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let registry = PollerRegistry::new();
    registry.register(Arc::new(Told), KindLimits::default()).unwrap();
    let runner = PollerRunner::builder(store, registry, Mock).clock(clock).start();
    let every = Schedule::every(Duration::from_secs(60)).unwrap();
    let job = |end: &str| {
        let mut spec = JobSpec::new(end, "told", "ana", every.clone());
        spec.config = json!({ "end": end });
        spec
    };
    runner.apply(vec![job("ok"), job("transient"), job("permanent")]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let spans: Vec<_> = spans.0.lock().unwrap().values().cloned().collect();
    for outcome in ["ok", "transient", "permanent"] {
        let own: Vec<_> = spans.iter().filter(|span| span["job"] == outcome).collect();
        assert!(!own.is_empty(), "{outcome}");
        for span in &own {
            assert_eq!((span["kind"].as_str(), span["agent"].as_str()), ("told", "ana"));
            assert_eq!(span["outcome"], outcome);
            assert!(span["run_key"].parse::<i64>().is_ok_and(|key| key > 1_779_012_000_000 - 60_000), "{span:?}");
        }
        let keys: std::collections::BTreeSet<_> = own.iter().map(|span| &span["run_key"]).collect();
        let first_tries = own.iter().filter(|span| span["attempt"] == "0").count();
        // Only a retry has the run key of another tick.
        assert!(outcome == "transient" || keys.len() == own.len(), "{own:?}");
        assert!(first_tries >= 1 && (outcome == "transient") == (first_tries < own.len()), "{own:?}");
    }
}
