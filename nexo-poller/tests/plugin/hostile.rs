//! A plugin that wants what is not its own, beside one that works: what it can say, hear and obtain. Real processes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is the report")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fixtures::{built, chatty, hostile_topics};
use nexo_poller::broker::{Broker as _, LocalBroker, Subscription};
use nexo_poller::contract::{PollContext, Poller, TickIdentity};
use nexo_poller::host::{HostServices, InProcessHost, StaticCredentials};
use nexo_poller::manifest::Manifest;
use nexo_poller::router::{PluginBinary, PluginPollerRouter, Supervisor, SupervisorOptions};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "hunter2";

fn binary(id: &str, program: &Path, wishes: &str, lifecycle: &str) -> PluginBinary {
    let text = format!(
        "manifest_version = 2\n[plugin]\nid = '{id}'\nversion = '0.1.0'\nname = 'A'\n[plugin.entrypoint]\ncommand = 'a'\n\
         [plugin.capabilities.broker]\nsubscribe = ['plugin.poller.{id}.tick', {wishes}]\n\
         publish = ['daemon.rpc.{id}', 'plugin.outbound.>', {wishes}]\n\
         [plugin.poller]\nkinds = ['{id}']\nbroker_topic_prefix = 'plugin.poller.{id}'\nlifecycle = '{lifecycle}'\n\
         max_concurrent_ticks = 4\n"
    );
    PluginBinary::new(Manifest::parse(&text, "test").unwrap(), program)
}

struct World {
    broker: LocalBroker,
    router: PluginPollerRouter,
}

impl World {
    /// A tick of `agent`, whose job bears its name.
    async fn tick(&self, poller: &Arc<dyn Poller>, job: &str, agent: &str, config: Value, cancel: CancellationToken) {
        let mut account = Map::new();
        account.insert("account_id".to_owned(), json!("bot"));
        account.insert("token".to_owned(), json!(SECRET));
        let accounts = StaticCredentials::new().with("bob", "slack", account);
        let services = HostServices::new(Arc::new(self.broker.clone()), Arc::new(accounts));
        let host = InProcessHost::new(services, TickIdentity::new(poller.kind(), job, agent));
        let mut ctx = PollContext::new(poller.kind(), job, agent, Arc::new(host));
        (ctx.config, ctx.cancel) = (config, cancel);
        // A tick whose messages were refused fails, and that is right.
        let _ = tokio::time::timeout(PATIENCE, poller.tick(&ctx)).await.expect("a tick ends");
    }

    async fn start(&self, plugin: PluginBinary) -> (Option<Supervisor>, Arc<dyn Poller>) {
        let kinds = self.router.register(&plugin).unwrap();
        let supervisor = (!plugin.manifest.plugin.is_ephemeral())
            .then(|| Supervisor::start(plugin, &self.router, SupervisorOptions::default()));
        if let Some(supervisor) = &supervisor {
            tokio::time::timeout(PATIENCE, supervisor.settled()).await.unwrap();
        }
        (supervisor, Arc::clone(&kinds[0].poller))
    }
}

/// Everything that has come so far.
async fn all(heard: &mut Subscription) -> Vec<Arc<nexo_poller::wire::Event>> {
    let mut events = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::ZERO, heard.next()).await {
        events.push(delivery.event);
    }
    events
}

#[expect(clippy::print_stdout, reason = "figures that the security page stands on")]
async fn attacked(lifecycle: &str) {
    let broker = LocalBroker::new();
    let world = World { router: PluginPollerRouter::new(Arc::new(broker.clone())), broker: broker.clone() };
    let mut everything = broker.subscribe(">", None).await.unwrap();
    let victim = binary("chatty", Path::new(chatty().get_program()), "'_inbox.>'", "long_lived");
    let (_victim, chatty) = world.start(victim).await;
    let wishes = "'>', 'daemon.>', '_inbox.>'";
    let (supervisor, hostile) = world.start(binary("hostile", &built("fixture_hostile"), wishes, lifecycle)).await;

    // One tick of the other plugin runs all the time, one asks for its account while the hostile plugin listens.
    let cancel = CancellationToken::new();
    let waits = world.tick(&chatty, "bobs", "bob", json!({"do": "hang_politely"}), cancel.clone());
    let attack = async {
        let deliver = json!({"do": "deliver", "deliver": {"channel": "slack", "to": "ops"}});
        world.tick(&chatty, "bobs_too", "bob", deliver, CancellationToken::new()).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let victim = json!({"plugin": "chatty", "job": "bobs", "agent": "bob", "channel": "slack"});
        let config = json!({"victim": victim, "report": file.path()});
        world.tick(&hostile, "anas", "ana", config, CancellationToken::new()).await;
        cancel.cancel();
        serde_json::from_slice::<Value>(&std::fs::read(file.path()).unwrap()).unwrap()
    };
    let ((), report) = tokio::join!(waits, attack);

    let events = all(&mut everything).await;
    assert!(events.iter().any(|event| event.topic == "plugin.outbound.slack.bot"), "the other plugin did its work");
    let forged = events.iter().filter(|event| event.payload["forged"] == true).count();
    let tried = hostile_topics("hostile", "chatty").len();
    println!("{lifecycle}: hostile topics tried {tried}, passed {forged}");
    println!("figure rights.hostile_topics_{lifecycle} value={forged} unit=topics limit=0 ratio=0 note={tried}-tried");
    assert_eq!(forged, 0, "{:?}", events.iter().map(|event| &event.topic).collect::<Vec<_>>());
    let named = |event: &&Arc<nexo_poller::wire::Event>| event.topic == "plugin.outbound.test.source";
    assert_eq!(events.iter().find(named).unwrap().source, "hostile", "the daemon says whose message it is");
    assert_eq!(report["heard"], json!([]), "it hears its own ticks and answers");
    let answers = report["answers"].as_array().unwrap();
    let accounts = answers.iter().filter(|answer| answer.to_string().contains(SECRET)).count();
    let asked = answers.len();
    println!("{lifecycle}: another agent's accounts asked for {asked} times, obtained {accounts}");
    println!(
        "figure rights.foreign_accounts_{lifecycle} value={accounts} unit=accounts limit=0 ratio=0 note={asked}-calls"
    );
    assert_eq!(accounts, 0);
    assert!(!answers.is_empty() && answers.iter().all(|answer| answer["payload"]["payload"]["error"].is_object()));
    if let Some(supervisor) = supervisor {
        assert!(supervisor.status().refused_publishes as usize >= tried, "they are counted");
        supervisor.shutdown(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_hostile_plugin_that_stays_says_hears_and_obtains_nothing_of_anybody_elses() {
    attacked("long_lived").await;
}

#[tokio::test]
async fn a_hostile_plugin_of_one_tick_says_hears_and_obtains_nothing_of_anybody_elses() {
    attacked("ephemeral").await;
}

#[tokio::test]
async fn a_plugin_whose_ticks_would_come_among_anothers_topics_is_not_registered() {
    let router = PluginPollerRouter::new(Arc::new(LocalBroker::new()));
    router.register(&binary("rss", Path::new("rss"), "'_inbox.>'", "long_lived")).unwrap();
    let mut thief = binary("thief", Path::new("thief"), "'_inbox.>'", "long_lived");
    thief.manifest.plugin.poller.as_mut().unwrap().broker_topic_prefix = "plugin.poller.rss".to_owned();
    let refused = router.register(&thief).unwrap_err().to_string();
    assert!(refused.contains("`thief`") && refused.contains("`rss`"), "{refused}");
}
