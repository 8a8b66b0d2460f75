//! A day of a thousand pollers whose sink takes nothing: memory stays where it is. In a process of its own, so that nothing
//! else is measured. `NEXO_TEST_HOURS=24` asks for the whole day.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller::runner::{JobSpec, KindLimits, PollerRegistry, PollerRunner, Schedule};
use nexo_poller::store::{MemoryStore, UnixMs, VirtualClock};

use crate::no_host::NoHost;
use crate::own_process;

/// Publishes, and says how often it has tried.
struct Publishes;

#[async_trait]
impl Poller for Publishes {
    fn kind(&self) -> &'static str {
        "publishes"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        ctx.publish("plugin.outbound.console.console", &json!({"text": "x".repeat(1000)})).await?;
        TickAck::with_cursor(&1)
    }
}

fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_stalls_for_a_day_costs_no_memory() {
    if !own_process::is_alone("soak::a_sink_that_stalls_for_a_day_costs_no_memory") {
        return;
    }
    let hours = std::env::var("NEXO_TEST_HOURS").map_or(4, |hours| hours.parse().unwrap());
    let clock = Arc::new(VirtualClock::at(UnixMs(1_779_012_000_000)));
    let store = MemoryStore::with_clock(Arc::clone(&clock));
    let registry = PollerRegistry::new();
    let limits = KindLimits::new(64, Duration::from_secs(60));
    registry.register(Arc::new(Publishes), limits).unwrap();
    // It stalls before it refuses each message.
    let stalled = NoHost { stalls: Some(Duration::from_secs(5)) };
    let runner = PollerRunner::builder(store, registry, Arc::new(stalled)).clock(clock).start();
    let every = Schedule::every(Duration::from_secs(300)).unwrap();
    let jobs = (0..1000).map(|n| JobSpec::new(format!("job_{n}"), "publishes", "ana", every.clone())).collect();
    runner.apply(jobs).await.unwrap();
    // The breakers open, metrics and failures have their first entries.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let warm = resident_kib();
    tokio::time::sleep(Duration::from_secs(3600 * (hours - 1))).await;
    let growth = (resident_kib() - warm) / warm * 100.0;
    println!(
        "figure runner.soak_growth_percent value={growth:.2} unit=% limit=5 ratio={:.2} note=1000-jobs-{hours}-simulated-hours",
        growth / 5.0
    );
    assert!(growth < 5.0, "memory grew by {growth:.1} % from {warm} KiB");
}
