//! Each tick has a span with what tells it from all others, and how it ended.

use std::collections::BTreeMap;
use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

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

#[tokio::test(start_paused = true)]
async fn a_tick_has_a_span_with_job_kind_agent_run_key_attempt_and_outcome() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let rig = Rig::new();
    rig.register(counting("count"), 4);
    rig.register(scripted("broken", |_| async { Err(PollerError::transient("no answer")) }), 4);
    rig.apply(vec![job("fine", "count", 60), job("ill", "broken", 60)]).await;
    pass(600).await;
    let ticks = rig.ticks();
    let spans: Vec<_> = spans.0.lock().unwrap().values().cloned().collect();
    assert_eq!(spans.len(), ticks["fine"].len() + ticks["ill"].len());
    for (id, kind, outcome) in [("fine", "count", "ok"), ("ill", "broken", "transient")] {
        let own: Vec<_> = spans.iter().filter(|span| span["job"] == id).collect();
        for (span, tick) in own.iter().zip(&ticks[id]) {
            assert_eq!((span["kind"].as_str(), span["agent"].as_str()), (kind, "ana"));
            assert_eq!(span["run_key"], tick.run_key.0.to_string());
            assert_eq!(span["attempt"], tick.attempt.to_string());
            assert_eq!(span["outcome"], outcome);
        }
    }
    assert!(spans.iter().any(|span| span["attempt"] != "0"), "a retry tells that it is one");
}
