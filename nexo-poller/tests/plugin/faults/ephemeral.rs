//! One process a tick.

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
