//! How plugins end, and what is left of them.

use std::time::Duration;

use nexo_poller::router::{PluginState, RestartPolicy, Supervisor};

use super::world::{PATIENCE, World, binary, group_members, nothing_is_left_of, options, until};

#[tokio::test]
async fn nothing_that_a_plugin_has_forked_stays_behind() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("fork").await;
    world.tick(&poller).await.unwrap();
    let group = supervisor.status().pid.unwrap();
    // Itself, a sleep, a shell and what the shell starts.
    until(|| group_members(group).len() >= 4).await;
    supervisor.shutdown(PATIENCE).await;
    nothing_is_left_of(group).await;

    // The same where nobody takes leave.
    let (supervisor, _poller) = world.start("fork").await;
    let group = supervisor.status().pid.unwrap();
    drop(supervisor);
    nothing_is_left_of(group).await;
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_ignores_its_shutdown_is_killed_after_the_grace() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("ignores_shutdown").await;
    world.tick(&poller).await.unwrap();
    let group = supervisor.status().pid.unwrap();
    tokio::time::timeout(PATIENCE, supervisor.shutdown(Duration::from_millis(200))).await.unwrap();
    nothing_is_left_of(group).await;
}

#[tokio::test]
async fn a_plugin_that_crashes_is_started_again_and_its_ticks_work_again() {
    let world = World::new().await;
    let plugin = binary("faulty", "none", "long_lived");
    let kinds = world.router.register(&plugin).unwrap();
    let restart = RestartPolicy::default().with_first(Duration::from_millis(10));
    let supervisor = Supervisor::start(plugin, &world.router, options().with_restart(restart));
    supervisor.settled().await;
    let first = supervisor.status().pid.unwrap();
    let pid = rustix::process::Pid::from_raw(first.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until(|| supervisor.status().state == PluginState::Up && supervisor.status().pid != Some(first)).await;
    world.tick(&kinds[0].poller).await.unwrap();
    assert_eq!(supervisor.status().restarts, 1);
}

/// `NEXO_POLLER_CYCLES=500` makes the long form of it.
#[tokio::test]
async fn starts_and_stops_of_a_forking_plugin_leave_no_zombie_and_no_orphan() {
    let cycles = std::env::var("NEXO_POLLER_CYCLES").map_or(25, |text| text.parse().expect("a number of cycles"));
    let world = World::new().await;
    let mut groups = Vec::new();
    for _ in 0..cycles {
        let (supervisor, _) = world.start("fork").await;
        groups.extend(supervisor.status().pid);
        supervisor.shutdown(PATIENCE).await;
    }
    assert_eq!(groups.len(), cycles);
    for group in groups {
        nothing_is_left_of(group).await;
    }
    println!(
        "figure plugin.left_after_stops value=0 unit=processes limit=0 ratio=1 note={cycles}-starts-of-a-forking-plugin"
    );
}
