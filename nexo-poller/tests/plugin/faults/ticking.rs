//! What goes wrong while a long-lived plugin runs.

use nexo_poller::broker::Broker as _;
use nexo_poller::router::PluginState;

use super::world::{PATIENCE, World, nothing_is_left_of, until};

#[tokio::test]
async fn garbage_and_a_line_of_a_hundred_mebibytes_on_stdout_are_counted_and_ticks_work() {
    let world = World::new().await;
    for (fault, bad_lines) in [("garbage", 2), ("huge_line", 1)] {
        let (supervisor, poller) = world.start(fault).await;
        world.tick(&poller).await.unwrap();
        assert_eq!(supervisor.status().bad_lines, bad_lines, "{fault}");
        supervisor.shutdown(PATIENCE).await;
    }
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_closes_its_stdout_is_killed_and_started_again() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("close_stdout").await;
    until(|| supervisor.status().state != PluginState::Up).await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("is of no use any more: it closed its stdout; it was killed"), "{sentence}");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_is_killed_or_exits_in_the_middle_of_a_tick_fails_that_tick_at_once() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("hang").await;
    let pid = rustix::process::Pid::from_raw(supervisor.status().pid.unwrap().cast_signed()).unwrap();
    let (sentence, ()) = tokio::join!(world.sentence(&poller), async {
        // Let the tick get on its way, then kill what runs it.
        tokio::task::yield_now().await;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
    assert!(sentence.contains("was killed by signal 9"), "{sentence}");
    nothing_is_left_of(pid.as_raw_nonzero().get().cast_unsigned()).await;

    let (_supervisor, poller) = world.start("exit_mid_tick").await;
    let sentence = world.sentence(&poller).await;
    assert!(
        sentence.starts_with("plugin `faulty` was lost while it ran this tick (plugin `faulty` exited with code 9"),
        "{sentence}"
    );
    assert!(sentence.contains("out of memory, say"), "{sentence}");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_tick_that_is_never_answered_ends_at_its_deadline() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("hang").await;
    let sentence = world.sentence(&poller).await;
    assert_eq!(sentence, "plugin `faulty` did not answer this tick within 7 s; the cursor has not moved");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_tick_that_publishes_outside_the_allowlist_reaches_nobody_and_is_not_done() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("outside").await;
    let mut outside = world.broker.subscribe("plugin.poller.healthy.tick", None).await.unwrap();
    assert_eq!(
        world.sentence(&poller).await,
        "plugin `faulty` published a message that has not gone out: `plugin.poller.healthy.tick` is outside of \
         what the plugin may publish on [daemon.rpc.faulty, plugin.outbound.>]; the cursor has not moved"
    );
    assert_eq!(supervisor.status().refused_publishes, 1);
    // The first thing that arrives there is the daemon's own tick.
    world.others_go_on().await;
    assert_eq!(outside.next().await.unwrap().event.source, "daemon");
}

#[tokio::test]
async fn an_answer_that_is_malformed_is_retried_from_the_old_cursor() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("bad_cursor").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.starts_with("malformed answer to a tick: the cursor is not URL-safe base64"), "{sentence}");
    let (_supervisor, poller) = world.start("not_an_answer").await;
    let sentence = world.sentence(&poller).await;
    assert_eq!(sentence, "malformed answer to a tick: neither `result` nor `error` is an object");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_floods_its_stderr_with_a_hundred_megabytes_does_not_stop() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("flood").await;
    world.tick(&poller).await.unwrap();
    let lines = supervisor.status().last_stderr;
    assert!(lines.len() <= 20 && lines.iter().all(|line| line.len() <= 4096), "what is kept is bounded");
    world.others_go_on().await;
}

#[tokio::test]
async fn a_child_of_a_plugin_that_writes_to_stdout_costs_one_bad_line() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("echo_child").await;
    world.tick(&poller).await.unwrap();
    assert_eq!(supervisor.status().bad_lines, 1);
    world.others_go_on().await;
}

#[tokio::test]
async fn a_tick_whose_message_finds_a_full_queue_is_not_done_until_there_is_room() {
    let world = World::cramped().await;
    let (supervisor, poller) = world.start("none").await;
    let mut outbound = world.broker.subscribe("plugin.outbound.>", None).await.unwrap();
    for _ in 0..4 {
        world.tick(&poller).await.unwrap();
    }
    assert_eq!(
        world.sentence(&poller).await,
        "plugin `faulty` published a message that has not gone out: the subscriber on `plugin.outbound.test.faults` is too \
         far behind: its queue is full; the cursor has not moved"
    );
    assert_eq!(supervisor.status().lost_publishes, 1);
    outbound.next().await.unwrap();
    world.tick(&poller).await.unwrap();
}

#[tokio::test]
async fn a_tick_whose_message_is_over_the_limit_is_not_done() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("huge_message").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("published a message that has not gone out: a line of"), "{sentence}");
    assert!(sentence.contains("is over the limit of 1048576 bytes"), "{sentence}");
    world.others_go_on().await;
}
