//! Plugins on other machines: daemons and copies of a plugin, all of them processes, over a real NATS server.

use nexo_poller::broker::{Broker, NatsBroker, NatsOptions};
use nexo_poller::wire::Event;
use nexo_poller_testkit::{NatsServer, NatsServerOptions};
use serde_json::json;

use crate::copies::{Copy, remote_home};
use crate::home::Home;

const HOURLY: &str = "schedule: { every: 1h }";

fn job(id: &str, what: &str) -> String {
    format!("id: {id}, kind: chatty, {HOURLY}, config: {{ do: {what} }}")
}

#[test]
fn a_plugin_that_others_start_is_ticked_over_nats_and_asks_the_daemon_over_it() {
    let server = NatsServer::start().unwrap();
    let home = remote_home(&server.url(), "", &[&job("counts", "count"), &job("speaks", "publish")]);
    let mut daemon = home.boot();
    let nobody = home.run(&["run", "counts"]);
    assert_eq!(nobody.code, Some(5), "{nobody:?}");
    assert!(nobody.stdout.contains("start one with NEXO_BROKER_URL"), "{nobody:?}");

    let copy = Copy::start(&server.url());
    for _ in 0..2 {
        assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    }
    assert_eq!(home.cursor("counts"), Some(b"2".to_vec()));
    assert_eq!(home.run(&["run", "speaks"]).code, Some(0));
    daemon.wait_for_out("ops ← hello");
    daemon.wait_for_log("seen");
    assert_eq!(home.json(&["plugins"])["plugins"][0]["state"], "remote");
    assert!(copy.stop(), "a copy that is told to end ends well");
    daemon.stop();
}

/// A copy of a plugin as published SDKs make them: it subscribes to its ticks without a queue group.
async fn published_copy(url: &str) -> NatsBroker {
    let broker = NatsBroker::connect(NatsOptions::new(url).unwrap().with_name("sdk")).await.unwrap();
    let mut orders = broker.subscribe("plugin.poller.chatty.tick", None).await.unwrap();
    let answering = broker.clone();
    tokio::spawn(async move {
        while let Some(order) = orders.next().await {
            let to = order.request().1.unwrap().topic;
            let answer = Event::new(to, "chatty", json!({"result": {"next_cursor": "Nw"}}));
            answering.publish(answer).await.unwrap();
        }
    });
    broker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_whose_copies_each_run_every_tick_is_named_once() {
    let server = NatsServer::start().unwrap();
    let home = remote_home(&server.url(), "", &[&job("counts", "count")]);
    let mut daemon = home.boot();
    let _first = published_copy(&server.url()).await;
    assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    let _second = published_copy(&server.url()).await;
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    }
    assert_eq!(home.cursor("counts"), Some(b"7".to_vec()));
    daemon.wait_for_log("`chatty` has answered one request twice: several copies of it run");
    assert_eq!(daemon.heard_log.matches("answered one request twice").count(), 1, "{}", daemon.heard_log);
    daemon.stop();
}

#[test]
fn a_call_reaches_the_daemon_that_runs_the_tick_whichever_gets_it() {
    let server = NatsServer::start().unwrap();
    let _copy = Copy::start(&server.url());
    let homes: Vec<Home> =
        ["one", "two", "three"].iter().map(|id| remote_home(&server.url(), "", &[&job(id, "publish")])).collect();
    let daemons: Vec<_> = homes.iter().map(Home::boot).collect();
    for _ in 0..6 {
        for (home, id) in homes.iter().zip(["one", "two", "three"]) {
            let said = home.run(&["run", id]);
            assert_eq!(said.code, Some(0), "{said:?}");
        }
    }
    daemons.into_iter().for_each(crate::home::Daemon::stop);
}

#[test]
fn copies_share_the_ticks_and_the_death_of_one_costs_nothing_but_the_tick_it_had() {
    let server = NatsServer::start().unwrap();
    let (mut first, _second) = (Copy::start(&server.url()), Copy::start(&server.url()));
    let home = remote_home(&server.url(), "", &[&job("counts", "count")]);
    let daemon = home.boot();
    for _ in 0..4 {
        assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    }
    first.kill();
    for _ in 0..4 {
        assert_eq!(home.run(&["run", "counts"]).code, Some(0));
    }
    assert_eq!(home.cursor("counts"), Some(b"8".to_vec()));
    daemon.stop();
}

#[test]
fn a_daemon_whose_server_is_away_or_refuses_it_says_so_without_the_password() {
    let config = "authorization { users: [ { user: ana, password: \"hunter2hunter2\" } ] }";
    let server = NatsServer::start_with(NatsServerOptions::default().with_config(config)).unwrap();
    let wrong = server.url().replace("://", "://ana:hunter3hunter3@");
    let said = remote_home(&wrong, "", &[]).fail_to_boot();
    assert!(said.stderr.contains("does not take us") && !said.stderr.contains("hunter"), "{said:?}");
    let right = server.url().replace("://", "://ana:hunter2hunter2@");
    remote_home(&right, "", &[]).boot().stop();
}
