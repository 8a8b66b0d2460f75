//! What plugins do wrong, with real processes: the daemon's side survives each fault and says in one sentence what is
//! wrong; other plugins' ticks go on; no zombie and no orphan is left.

#![cfg(feature = "router")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is the report")]

mod fixture;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nexo_poller::broker::{Broker as _, LocalBroker};
use nexo_poller::contract::{ErrorClass, PollContext, Poller, PollerError, Redact, TickAck};
use nexo_poller::host::{HostServices, InProcessHost, StaticCredentials, Tick};
use nexo_poller::manifest::Manifest;
use nexo_poller::router::{
    PluginBinary, PluginPollerRouter, PluginState, RestartPolicy, Supervisor, SupervisorOptions, discover,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// More than enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

static FAULTS: LazyLock<PathBuf> = LazyLock::new(|| fixture::built("fixture_faults"));

fn binary(id: &str, fault: &str, lifecycle: &str) -> PluginBinary {
    let text = format!(
        r#"
        manifest_version = 2
        [plugin]
        id = "{id}"
        version = "0.1.0"
        name = "Faults"
        [plugin.entrypoint]
        command = "fixture_faults"
        args = ["{fault}"]
        [plugin.capabilities.broker]
        subscribe = ["plugin.poller.{id}.tick", "_inbox.>"]
        publish = ["daemon.rpc.{id}", "plugin.outbound.>", "_inbox.>"]
        [plugin.poller]
        kinds = ["{id}"]
        broker_topic_prefix = "plugin.poller.{id}"
        lifecycle = "{lifecycle}"
        tick_timeout_secs = 2
        "#
    );
    PluginBinary { manifest: Manifest::parse(&text, "test").unwrap(), program: FAULTS.clone() }
}

/// A daemon's side with one plugin that works, beside whatever a test adds.
struct World {
    broker: LocalBroker,
    router: PluginPollerRouter,
    healthy: Arc<dyn Poller>,
    _keep: Supervisor,
}

impl World {
    async fn new() -> Self {
        let broker = LocalBroker::new();
        let router = PluginPollerRouter::new(Arc::new(broker.clone()));
        let healthy = binary("healthy", "none", "long_lived");
        let kinds = router.register(&healthy).unwrap();
        let keep = Supervisor::start(healthy, &router, options());
        keep.settled().await;
        Self { broker, router, healthy: Arc::clone(&kinds[0].poller), _keep: keep }
    }

    async fn start(&self, fault: &str) -> (Supervisor, Arc<dyn Poller>) {
        let plugin = binary("faulty", fault, "long_lived");
        let kinds = self.router.register(&plugin).unwrap();
        let supervisor = Supervisor::start(plugin, &self.router, options());
        tokio::time::timeout(PATIENCE, supervisor.settled()).await.expect("the first start settles");
        (supervisor, Arc::clone(&kinds[0].poller))
    }

    fn ephemeral(&self, fault: &str) -> Arc<dyn Poller> {
        let kinds = self.router.register(&binary("faulty", fault, "ephemeral")).unwrap();
        Arc::clone(&kinds[0].poller)
    }

    async fn tick(&self, poller: &Arc<dyn Poller>) -> Result<TickAck, PollerError> {
        let services = HostServices {
            broker: Arc::new(self.broker.clone()),
            credentials: Arc::new(StaticCredentials::new()),
            metrics: Arc::new(()),
            llm: None,
            redact: Redact::default(),
        };
        let (kind, job_id, agent_id) = (poller.kind().to_owned(), "job".to_owned(), "ana".to_owned());
        let host = InProcessHost::new(services, Tick { kind, job_id, agent_id, cursor_before: None });
        let ctx = PollContext {
            job_id: "job".to_owned(),
            agent_id: "ana".to_owned(),
            kind: poller.kind(),
            config: json!({}),
            cursor: None,
            now: chrono::DateTime::UNIX_EPOCH,
            interval_hint: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            host: Arc::new(host),
        };
        tokio::time::timeout(PATIENCE, poller.tick(&ctx)).await.expect("a tick ends")
    }

    /// The sentence that a tick of the faulty plugin fails with; it must be one that is retried.
    async fn sentence(&self, poller: &Arc<dyn Poller>) -> String {
        let error = self.tick(poller).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error}");
        error.to_string()
    }

    async fn others_go_on(&self) {
        assert_eq!(self.tick(&self.healthy).await.unwrap().next_cursor.as_deref(), Some(b"2".as_slice()));
    }
}

/// Restarts that a test does not wait for.
fn options() -> SupervisorOptions {
    let restart = RestartPolicy { first: Duration::from_secs(3600), ..RestartPolicy::default() };
    SupervisorOptions { restart, handshake_timeout: Duration::from_secs(5) }
}

/// Every process of the group, zombies included, as the kernel lists them.
fn group_members(group: u32) -> Vec<String> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // pid (name) state ppid pgrp …: the name may hold anything, so the fields are counted from its end.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        if fields.get(2).is_some_and(|pgrp| *pgrp == group.to_string()) {
            members.push(stat);
        }
    }
    members
}

/// Looks again and again: the kernel tells nobody when a process group changes.
async fn until(holds: impl Fn() -> bool) {
    let looking = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it comes to hold");
}

async fn nothing_is_left_of(group: u32) {
    until(|| group_members(group).is_empty()).await;
}

#[tokio::test]
async fn a_binary_that_is_missing_is_named() {
    let world = World::new().await;
    let mut plugin = binary("faulty", "none", "long_lived");
    plugin.program = "/nonexistent/jira-poller".into();
    let kinds = world.router.register(&plugin).unwrap();
    let supervisor = Supervisor::start(plugin, &world.router, options());
    supervisor.settled().await;
    let sentence = world.sentence(&kinds[0].poller).await;
    assert_eq!(
        sentence,
        "plugin `faulty` cannot be started: /nonexistent/jira-poller: No such file or directory (os error 2); \
         start 2 follows in 60 s"
    );
    assert_eq!(supervisor.status().state, PluginState::Restarting);
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_exits_at_once_is_quoted_with_its_exit_code_and_its_last_words() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("exit").await;
    let sentence = world.sentence(&poller).await;
    assert_eq!(
        sentence,
        "plugin `faulty` exited with code 7 before it was up: it closed its stdout before it answered `initialize`; \
         start 2 follows in 60 s; its last line of stderr: the licence has expired"
    );
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_never_answers_initialize_is_given_up_and_killed() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("silent").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("did not answer `initialize` within 5 s; is it a nexo plugin"), "{sentence}");
    assert_eq!(supervisor.status().pid, None);
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_that_answers_with_another_id_or_as_another_plugin_is_refused() {
    let world = World::new().await;
    let (_supervisor, poller) = world.start("wrong_id").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("answered `initialize` under id 4711 instead of 1"), "{sentence}");
    let (_supervisor, poller) = world.start("other_plugin").await;
    let sentence = world.sentence(&poller).await;
    assert!(sentence.contains("says it is plugin `somebody_else`, but its manifest file says `faulty`"), "{sentence}");
    world.others_go_on().await;
}

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
async fn a_publish_outside_the_allowlist_reaches_nobody_and_is_counted() {
    let world = World::new().await;
    let (supervisor, poller) = world.start("outside").await;
    let mut outside = world.broker.subscribe("plugin.poller.healthy.tick", None).await.unwrap();
    world.tick(&poller).await.unwrap();
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
    let restart = RestartPolicy { first: Duration::from_millis(10), ..RestartPolicy::default() };
    let supervisor = Supervisor::start(plugin, &world.router, SupervisorOptions { restart, ..options() });
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
    ];
    for (fault, expected) in table {
        assert_eq!(world.sentence(&world.ephemeral(fault)).await, expected);
    }
    for survivable in
        ["garbage", "huge_line", "outside", "flood", "echo_child", "fork_and_answer", "json_log", "no_newline"]
    {
        let ack = world.tick(&world.ephemeral(survivable)).await.unwrap();
        assert_eq!(ack.next_cursor.as_deref(), Some(b"2".as_slice()), "{survivable}");
    }
    world.others_go_on().await;
}

#[tokio::test]
async fn a_plugin_is_found_by_its_manifest_or_by_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &Path, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let manifest = binary("jira", "none", "long_lived").manifest;
    let text = manifest.to_toml().replace("fixture_faults", "jira-poller");
    write(&folder.path().join("with/nexo-plugin.toml"), &text);
    write(&folder.path().join("with/jira-poller"), "#!/bin/sh\n");
    write(
        &folder.path().join("printer"),
        &format!("#!/bin/sh\ncat <<'END'\n{}\nEND\n", text.replace("jira", "printer")),
    );
    write(&folder.path().join("no-plugin"), "#!/bin/sh\nexit 3\n");
    write(&folder.path().join("chatter"), "#!/bin/sh\necho hello\n");
    let (found, errors) = discover(folder.path()).await;
    let ids: Vec<&str> = found.iter().map(|plugin| plugin.manifest.plugin.id.as_str()).collect();
    assert_eq!(ids, ["printer", "jira"]);
    assert_eq!(found[1].program, folder.path().join("with/jira-poller"));
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(errors[0].contains("chatter --print-manifest`: line 1"), "{errors:?}");
    assert!(
        errors[1].ends_with(
            "no nexo-plugin.toml beside it, and `--print-manifest` failed (exit status: 3); is it a nexo plugin?"
        ),
        "{errors:?}"
    );
}

#[tokio::test]
async fn two_plugins_with_one_kind_are_both_named() {
    let world = World::new().await;
    let mut twin = binary("twin", "none", "long_lived");
    twin.manifest.plugin.poller.as_mut().unwrap().kinds = vec!["healthy".to_owned()];
    let error = world.router.register(&twin).err().unwrap().to_string();
    assert_eq!(
        error,
        "kind `healthy` is declared by plugin `healthy` and by plugin `twin`: remove one of them, or rename its kind"
    );
    // Registering a plugin again replaces its own entry.
    world.router.register(&binary("healthy", "none", "long_lived")).unwrap();
    world.others_go_on().await;
}
