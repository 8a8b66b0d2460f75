//! What a child may say, and what it is told.

use super::*;

#[tokio::test]
async fn a_plugin_that_names_the_inbox_of_another_gets_its_own_answer_alone() {
    let joined = joined().await;
    let mut inbox = joined.child.subscribe("_inbox.>", None).await.unwrap();
    let mut calls = joined.broker.subscribe("daemon.rpc.jira", None).await.unwrap();
    // Another asks as well, and is to be answered in an inbox that this plugin has learned of.
    let forged = Event::request("daemon.rpc.jira", "jira", "_inbox.others.1", json!({"method": "log"}));
    joined.child.publish(forged).await.unwrap();
    let (_, reply_to) = calls.next().await.unwrap().request();
    let reply_to = reply_to.unwrap();
    assert_ne!(reply_to.topic, "_inbox.others.1");
    joined.broker.publish(Event::answer("_inbox.others.1", "daemon", json!({"result": "secret"}))).await.unwrap();
    joined.broker.respond(&reply_to, "daemon", json!({"result": "its own"})).await.unwrap();
    let answer = inbox.next().await.unwrap().event;
    assert_eq!((answer.topic.as_str(), &answer.payload["topic"]), ("_inbox.others.1", &json!("_inbox.others.1")));
    assert_eq!(answer.payload["payload"], json!({"result": "its own"}));
    // Only once, and nothing of the other.
    joined.broker.respond(&reply_to, "daemon", json!({"result": "again"})).await.unwrap();
    let call = joined.child.request("daemon.rpc.jira", "jira", json!({"method": "log"}), LONG);
    let answering = async {
        let (_, reply_to) = calls.next().await.unwrap().request();
        joined.broker.respond(&reply_to.unwrap(), "daemon", json!({"result": "the last"})).await.unwrap();
    };
    assert_eq!(tokio::join!(call, answering).0.unwrap(), json!({"result": "the last"}));
    assert!(futures_are_pending(std::pin::pin!(inbox.next())).await);
}

#[tokio::test]
async fn a_plugin_answers_what_it_was_asked_once_and_nobody_else() {
    let joined = joined().await;
    let mut ticks = joined.child.subscribe("plugin.poller.jira.tick", None).await.unwrap();
    let mut everything = joined.broker.subscribe("_inbox.>", None).await.unwrap();
    let asked = Event::request("plugin.poller.jira.tick", "daemon", "_inbox.asked.1", json!({"method": "poll_tick"}));
    joined.broker.publish(asked).await.unwrap();
    let (_, reply_to) = ticks.next().await.unwrap().request();
    for topic in ["_inbox.others.1", "_inbox.asked.1", "_inbox.asked.1"] {
        joined.child.publish(Event::answer(topic, "jira", json!({"result": topic}))).await.unwrap();
    }
    assert_eq!(reply_to.unwrap().topic, "_inbox.asked.1");
    let mut outbound = joined.broker.subscribe("plugin.outbound.>", None).await.unwrap();
    joined.child.publish(Event::new("plugin.outbound.b", "jira", json!({}))).await.unwrap();
    outbound.next().await.unwrap();
    assert_eq!(everything.next().await.unwrap().event.topic, "_inbox.asked.1");
    assert!(futures_are_pending(std::pin::pin!(everything.next())).await);
    assert_eq!(joined.notes.all(), ["jira: not allowed: _inbox.others.1", "jira: not allowed: _inbox.asked.1"]);
}

#[tokio::test]
async fn no_hostile_topic_of_a_plugin_reaches_the_broker_and_what_is_said_of_it_is_one_short_line() {
    let (broker, notes) = (LocalBroker::new(), Arc::new(Notes::default()));
    let mut everything = broker.subscribe(">", None).await.unwrap();
    let mut greedy = hello().manifest;
    greedy.plugin.capabilities.broker.publish = vec![">".to_owned()];
    let (mut puppet, connecting) = puppet(&broker, ParentOptions { found: Some(greedy), ..options(&notes) });
    puppet.introduce().await;
    let (_parent, _) = connecting.await.unwrap().unwrap();
    let hostile = fixtures::hostile_topics("jira", "rss");
    let last = "plugin.outbound.a.b".to_owned();
    for topic in hostile.iter().chain([&last]) {
        let event = serde_json::to_value(Event::new(topic, "daemon", json!({}))).unwrap();
        let frame = json!({"method": "broker.publish", "params": {"topic": topic, "event": event}});
        puppet.write(&format!("{frame}\n")).await;
    }
    let first = everything.next().await.unwrap().event;
    assert_eq!((first.topic.as_str(), first.source.as_str()), ("plugin.outbound.a.b", "jira"));
    println!("stdio: hostile topics tried {}, passed 0", hostile.len());
    let lost: Vec<String> = notes.all().into_iter().filter(|note| note.starts_with("jira: lost: ")).collect();
    assert!(lost.iter().all(|note| note.len() < 400 && !note.contains(char::is_control)), "{lost:?}");
}

#[tokio::test]
async fn a_question_whose_answer_is_wanted_on_a_topic_that_is_too_long_is_kept_nowhere() {
    let joined = joined().await;
    let mut calls = joined.broker.subscribe("daemon.rpc.jira", None).await.unwrap();
    for (length, id) in [(256, "long"), (255, "fits")] {
        let topic = format!("_inbox.{}", "x".repeat(length - 7));
        let call = Event::request("daemon.rpc.jira", "jira", &topic, json!({"method": "log", "id": id}));
        joined.child.publish(call).await.unwrap();
    }
    assert_eq!(calls.next().await.unwrap().request().0["id"], "fits");
    assert!(joined.notes.all()[0].starts_with("jira: not allowed: _inbox.xxx"));
}
