//! One process a tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nexo_poller::broker::Broker as _;
use tokio_util::sync::CancellationToken;

use super::world::World;

#[tokio::test]
async fn an_ephemeral_plugin_ticks_and_each_of_its_faults_is_a_sentence() {
    let world = World::new().await;
    let mut outbound = world.broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let ack = world.tick(&world.ephemeral("none")).await.unwrap();
    assert_eq!(ack.next_cursor.as_deref(), Some(b"2".as_slice()));
    assert_eq!(outbound.next().await.unwrap().event.source, "faulty");
    let table = [
        (
            "exit",
            "plugin `faulty` exited with code 7 without an answer to this tick; its last line of stderr: the licence \
             has expired; the cursor has not moved",
        ),
        ("hang", "plugin `faulty` did not answer this tick within 2 s; the cursor has not moved"),
        ("not_an_answer", "malformed answer to a tick: neither `result` nor `error` is an object"),
        (
            "outside",
            "plugin `faulty` published a message that has not gone out: `plugin.poller.healthy.tick` is outside of \
             what the plugin may publish on [daemon.rpc.faulty, plugin.outbound.>]; the cursor has not moved",
        ),
    ];
    for (fault, expected) in table {
        assert_eq!(world.sentence(&world.ephemeral(fault)).await, expected);
    }
    for survivable in ["garbage", "huge_line", "flood", "echo_child", "fork_and_answer", "json_log", "no_newline"] {
        let ack = world.tick(&world.ephemeral(survivable)).await.unwrap();
        assert_eq!(ack.next_cursor.as_deref(), Some(b"2".as_slice()), "{survivable}");
    }
    world.others_go_on().await;
}

#[tokio::test]
async fn an_ephemeral_tick_that_is_cancelled_ends_in_good_order_and_its_answer_counts() {
    let world = World::new().await;
    let mut outbound = world.broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let cancel = CancellationToken::new();
    let poller = world.ephemeral("polite");
    let (ticked, ()) = tokio::join!(world.tick_until(&poller, cancel.clone()), async {
        outbound.next().await.unwrap();
        cancel.cancel();
    });
    assert_eq!(ticked.unwrap().next_cursor.as_deref(), Some(b"2".as_slice()));
}

#[tokio::test]
async fn an_ephemeral_plugin_that_prints_without_end_stops_nobody_and_is_ended_at_its_deadline() {
    let world = World::new().await;
    let counted = Warnings::default();
    let _heard = tracing::subscriber::set_default(counted.clone());
    let poller = world.ephemeral("yes");
    let begun = Instant::now();
    let mut others = 0;
    let sentence = {
        let mut flood = std::pin::pin!(world.sentence(&poller));
        loop {
            tokio::select! {
                sentence = &mut flood => break sentence,
                () = world.others_go_on() => others += 1,
            }
        }
    };
    let took = begun.elapsed();
    assert_eq!(sentence, "plugin `faulty` did not answer this tick within 2 s; the cursor has not moved");
    println!("while one prints without end for {took:.1?}: {others} ticks of others, {} warnings", counted.count());
    // Two seconds, and what a busy machine takes.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(others >= 20, "{others}");
    assert!((1..=5).contains(&counted.count()), "{}", counted.count());
}

#[tokio::test]
async fn nothing_of_a_tick_stays_in_the_daemon_when_a_process_that_it_has_started_leaves_its_group() {
    let world = World::new().await;
    let poller = world.ephemeral("leave");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    world.tick(&poller).await.unwrap();
    let before = tasks();
    for _ in 0..10 {
        let ack = world.tick(&poller).await.unwrap();
        assert_eq!(ack.next_cursor.as_deref(), Some(b"2".as_slice()));
    }
    // An aborted task is gone once it had its turn.
    tokio::task::yield_now().await;
    let left = tasks().saturating_sub(before);
    println!("tasks left by 10 ephemeral ticks whose children called setsid: {left}");
    assert_eq!(left, 0);
}

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Warnings {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}
