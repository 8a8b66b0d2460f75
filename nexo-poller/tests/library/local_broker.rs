//! The broker inside one process, through its public API.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use nexo_poller::broker::{Broker, BrokerError, LocalBroker, LocalBrokerOptions, Subscription};
use nexo_poller::wire::Event;
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);

async fn publish(broker: &LocalBroker, topic: &str, payload: Value) {
    broker.publish(Event::new(topic, "test", payload)).await.unwrap();
}

/// Everything that has reached `subscription` by now: a local publish delivers before it returns.
async fn received(subscription: &mut Subscription) -> Vec<Value> {
    let mut payloads = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::ZERO, subscription.next()).await {
        payloads.push(delivery.event.payload.clone());
    }
    payloads
}

#[tokio::test]
async fn a_plain_topic_reaches_those_who_listen_to_it_and_nobody_else() {
    let broker = LocalBroker::new();
    let mut first = broker.subscribe("a.b", None).await.unwrap();
    let mut second = broker.subscribe("a.b", None).await.unwrap();
    let mut other = broker.subscribe("a.c", None).await.unwrap();
    publish(&broker, "a.b", json!(1)).await;
    publish(&broker, "a", json!(2)).await;
    publish(&broker, "a.b.c", json!(3)).await;
    assert_eq!(received(&mut first).await, [1]);
    assert_eq!(received(&mut second).await, [1]);
    assert!(received(&mut other).await.is_empty());
}

#[tokio::test]
async fn a_star_is_one_segment_and_an_arrow_is_one_or_more() {
    let broker = LocalBroker::new();
    let mut star = broker.subscribe("a.*.c", None).await.unwrap();
    let mut arrow = broker.subscribe("a.>", None).await.unwrap();
    for (number, topic) in ["a.b.c", "a.c", "a.b.b.c", "a", "b.b.c"].into_iter().enumerate() {
        publish(&broker, topic, json!(number)).await;
    }
    assert_eq!(received(&mut star).await, [0]);
    assert_eq!(received(&mut arrow).await, [0, 1, 2]);
}

#[tokio::test]
async fn members_of_a_queue_group_take_turns_and_those_outside_hear_everything() {
    let broker = LocalBroker::new();
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(broker.subscribe("work.*", Some("workers")).await.unwrap());
    }
    let mut other_group = broker.subscribe("work.*", Some("auditors")).await.unwrap();
    let mut alone = broker.subscribe("work.*", None).await.unwrap();
    for number in 0..9 {
        publish(&broker, "work.x", json!(number)).await;
    }
    let mut all = Vec::new();
    for member in &mut members {
        let taken = received(member).await;
        assert_eq!(taken.len(), 3, "each takes its share: {taken:?}");
        all.extend(taken.iter().map(|number| number.as_i64().unwrap()));
    }
    all.sort_unstable();
    assert_eq!(all, (0..9).collect::<Vec<_>>());
    assert_eq!(received(&mut other_group).await.len(), 9);
    assert_eq!(received(&mut alone).await.len(), 9);
}

#[tokio::test]
async fn a_full_member_of_a_queue_group_is_passed_over_and_only_what_nobody_can_take_is_dropped() {
    let broker = LocalBroker::with_options(LocalBrokerOptions::default().with_queue_capacity(2));
    let mut busy = broker.subscribe("work", Some("workers")).await.unwrap();
    let mut idle = broker.subscribe("work", Some("workers")).await.unwrap();
    for number in 0..2 {
        publish(&broker, "work", json!(number)).await;
    }
    // One is emptied, the other keeps its message: the next three need both.
    assert_eq!(received(&mut idle).await.len(), 1);
    for number in 2..5 {
        publish(&broker, "work", json!(number)).await;
    }
    assert_eq!(broker.dropped(), 0);
    let refused = broker.publish(Event::new("work", "test", json!(5))).await;
    assert_eq!(refused, Err(BrokerError::QueueFull { topic: "work".to_owned() }));
    assert_eq!(broker.dropped(), 1);
    assert_eq!(received(&mut busy).await.len() + received(&mut idle).await.len(), 4);
}

#[tokio::test]
async fn a_slow_listener_loses_its_own_messages_and_nobody_elses_and_their_publisher_is_told() {
    let broker = LocalBroker::with_options(LocalBrokerOptions::default().with_queue_capacity(3));
    let mut slow = broker.subscribe("a", None).await.unwrap();
    let mut quick = broker.subscribe("a", None).await.unwrap();
    for number in 0..10 {
        let published = broker.publish(Event::new("a", "test", json!(number))).await;
        assert_eq!(published.is_ok(), number < 3, "{published:?}");
        assert_eq!(received(&mut quick).await, [number]);
    }
    assert_eq!(received(&mut slow).await, [0, 1, 2]);
    assert_eq!(broker.dropped(), 7);
}

#[tokio::test]
async fn dropping_a_subscription_ends_it_and_gives_its_turn_to_the_others() {
    let broker = LocalBroker::new();
    for pattern in ["a.b", "a.*"] {
        let gone = broker.subscribe(pattern, Some("g")).await.unwrap();
        let mut stays = broker.subscribe(pattern, Some("g")).await.unwrap();
        drop(gone);
        for number in 0..4 {
            publish(&broker, "a.b", json!(number)).await;
        }
        assert_eq!(received(&mut stays).await.len(), 4);
        drop(stays);
        assert!(!broker.has_listeners("a.b"));
    }
    assert_eq!(broker.dropped(), 0);
}

#[tokio::test]
async fn messages_are_published_and_asked_on_topics_not_on_patterns() {
    let broker = LocalBroker::new();
    let _everything = broker.subscribe(">", None).await.unwrap();
    for topic in ["a.*", "a.>", "*"] {
        let refused = BrokerError::WildcardTopic { topic: topic.to_owned() };
        assert_eq!(broker.publish(Event::new(topic, "test", json!(1))).await, Err(refused.clone()));
        assert_eq!(broker.request(topic, "test", json!(1), LONG).await, Err(refused));
    }
    for topic in ["", "a..b", ".a", "a."] {
        let refused = broker.publish(Event::new(topic, "test", json!(1))).await;
        assert!(matches!(refused, Err(BrokerError::Topic(_))), "{topic}: {refused:?}");
    }
}

#[tokio::test]
async fn a_question_that_nobody_hears_fails_at_once() {
    let broker = LocalBroker::new();
    let asked = broker.request("a.b", "test", json!({}), LONG);
    assert_eq!(asked.await, Err(BrokerError::NoResponders { topic: "a.b".to_owned() }));
}

#[tokio::test]
async fn a_question_is_answered_once_in_either_shape() {
    let broker = LocalBroker::new();
    let mut questions = broker.subscribe("a", None).await.unwrap();
    for wrapped in [true, false] {
        let asking = broker.request("a", "test", json!({"method": "m"}), LONG);
        let answering = async {
            let delivery = questions.next().await.unwrap();
            let (body, reply_to) = delivery.request();
            assert_eq!(*body, json!({"method": "m"}));
            let reply_to = reply_to.unwrap();
            if wrapped {
                broker.respond(&reply_to, "answerer", json!({"result": 7})).await.unwrap();
            } else {
                publish(&broker, &reply_to.topic, json!({"result": 7})).await;
            }
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer, Ok(json!({"result": 7})));
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_times_out_or_is_dropped_leaves_nothing_behind() {
    let broker = LocalBroker::new();
    let mut questions = broker.subscribe("a", None).await.unwrap();
    let mut late = broker.subscribe("_inbox.>", None).await.unwrap();
    let after = Duration::from_secs(5);
    let asked = broker.request("a", "test", json!({}), after).await;
    assert_eq!(asked, Err(BrokerError::Timeout { topic: "a".to_owned(), after }));
    let given_up = tokio::time::timeout(Duration::from_secs(1), broker.request("a", "test", json!({}), LONG)).await;
    assert!(given_up.is_err());
    for _ in 0..2 {
        let (_, reply_to) = { questions.next().await.unwrap() }.request();
        publish(&broker, &reply_to.unwrap().topic, json!({"result": 1})).await;
    }
    // Nobody waits for them any more, so they are ordinary messages now.
    assert_eq!(received(&mut late).await.len(), 2);
}

#[tokio::test]
async fn two_clones_keep_every_rule() {
    let broker = LocalBroker::new();
    let (one, other) = (std::sync::Arc::new(broker.clone()), std::sync::Arc::new(broker));
    nexo_poller::unstable::conformance::broker::check(one, other).await.unwrap();
}
