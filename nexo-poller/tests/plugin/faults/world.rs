//! A daemon's side with real processes on it.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nexo_poller::broker::{LocalBroker, LocalBrokerOptions};
use nexo_poller::contract::{ErrorClass, PollContext, Poller, PollerError, TickAck, TickIdentity};
use nexo_poller::host::{HostServices, InProcessHost, StaticCredentials};
use nexo_poller::manifest::Manifest;
use nexo_poller::router::{PluginBinary, PluginPollerRouter, RestartPolicy, Supervisor, SupervisorOptions};
use tokio_util::sync::CancellationToken;

/// More than enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) static FAULTS: LazyLock<PathBuf> = LazyLock::new(|| fixtures::built("fixture_faults"));

pub(crate) fn binary(id: &str, fault: &str, lifecycle: &str) -> PluginBinary {
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
    PluginBinary::new(Manifest::parse(&text, "test").unwrap(), FAULTS.as_path())
}

/// A daemon's side with one plugin that works, beside whatever a test adds.
pub(crate) struct World {
    pub(crate) broker: LocalBroker,
    pub(crate) router: PluginPollerRouter,
    healthy: Arc<dyn Poller>,
    _keep: Supervisor,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(LocalBroker::new()).await
    }

    /// One whose subscriptions hold few messages.
    pub(crate) async fn cramped() -> Self {
        Self::on(LocalBroker::with_options(LocalBrokerOptions::default().with_queue_capacity(4))).await
    }

    async fn on(broker: LocalBroker) -> Self {
        let router = PluginPollerRouter::new(Arc::new(broker.clone()));
        let healthy = binary("healthy", "none", "long_lived");
        let kinds = router.register(&healthy).unwrap();
        let keep = Supervisor::start(healthy, &router, options());
        keep.settled().await;
        Self { broker, router, healthy: Arc::clone(&kinds[0].poller), _keep: keep }
    }

    pub(crate) async fn start(&self, fault: &str) -> (Supervisor, Arc<dyn Poller>) {
        let plugin = binary("faulty", fault, "long_lived");
        let kinds = self.router.register(&plugin).unwrap();
        let supervisor = Supervisor::start(plugin, &self.router, options());
        tokio::time::timeout(PATIENCE, supervisor.settled()).await.expect("the first start settles");
        (supervisor, Arc::clone(&kinds[0].poller))
    }

    pub(crate) fn ephemeral(&self, fault: &str) -> Arc<dyn Poller> {
        let kinds = self.router.register(&binary("faulty", fault, "ephemeral")).unwrap();
        Arc::clone(&kinds[0].poller)
    }

    pub(crate) async fn tick(&self, poller: &Arc<dyn Poller>) -> Result<TickAck, PollerError> {
        self.tick_until(poller, CancellationToken::new()).await
    }

    pub(crate) async fn tick_until(
        &self,
        poller: &Arc<dyn Poller>,
        cancel: CancellationToken,
    ) -> Result<TickAck, PollerError> {
        let services = HostServices::new(Arc::new(self.broker.clone()), Arc::new(StaticCredentials::new()));
        let host = InProcessHost::new(services, TickIdentity::new(poller.kind(), "job", "ana"));
        let mut ctx = PollContext::new(poller.kind(), "job", "ana", Arc::new(host));
        ctx.cancel = cancel;
        tokio::time::timeout(PATIENCE, poller.tick(&ctx)).await.expect("a tick ends")
    }

    /// The sentence that a tick of the faulty plugin fails with; it must be one that is retried.
    pub(crate) async fn sentence(&self, poller: &Arc<dyn Poller>) -> String {
        let error = self.tick(poller).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error}");
        error.to_string()
    }

    pub(crate) async fn others_go_on(&self) {
        assert_eq!(self.tick(&self.healthy).await.unwrap().next_cursor.as_deref(), Some(b"2".as_slice()));
    }
}

/// Restarts that a test does not wait for.
pub(crate) fn options() -> SupervisorOptions {
    let restart = RestartPolicy::default().with_first(Duration::from_secs(3600));
    SupervisorOptions::default().with_restart(restart).with_handshake_timeout(Duration::from_secs(5))
}

/// Every process of the group, zombies included, as the kernel lists them.
pub(crate) fn group_members(group: u32) -> Vec<String> {
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
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let looking = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it comes to hold");
}

pub(crate) async fn nothing_is_left_of(group: u32) {
    until(|| group_members(group).is_empty()).await;
}
