//! What every [`Broker`] between parts of the system must keep, as one suite that a broker's tests call.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Broker, BrokerError, Subscription};
use crate::wire::Event;

/// A rule that a broker broke.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// Something else than expected.
    #[error("{rule}: expected {expected}, found {found}")]
    Rule {
        /// The rule.
        rule: &'static str,
        /// What should have come.
        expected: String,
        /// What came.
        found: String,
    },
    /// The broker failed.
    #[error("the broker failed: {0}")]
    Broker(#[from] BrokerError),
}

/// More than enough for a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// What ends a series of messages.
const LAST: &str = "last";

/// Checks two connections to one broker, on which nobody else is.
///
/// # Errors
/// The first [`Violation`].
pub async fn check(one: Arc<dyn Broker>, other: Arc<dyn Broker>) -> Result<(), Violation> {
    patterns_hear_what_matches(&*one, &*other).await?;
    a_group_shares_its_messages(&*one, &*other).await?;
    a_dropped_subscription_ends(&*one, &*other).await?;
    patterns_are_no_topics(&*one).await?;
    a_question_that_nobody_hears_fails_at_once(&*one).await?;
    both_shapes_of_an_answer_are_understood(&*one, &*other).await?;
    a_question_that_nobody_answers_times_out(&*one, &*other).await?;
    many_questions_at_once_get_their_own_answers(&one, &*other).await
}

fn expect<T: PartialEq + std::fmt::Debug>(rule: &'static str, found: &T, expected: &T) -> Result<(), Violation> {
    if found == expected { Ok(()) } else { Err(broken(rule, format!("{expected:?}"), format!("{found:?}"))) }
}

fn broken(rule: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Violation {
    Violation::Rule { rule, expected: expected.into(), found: found.into() }
}

async fn publish(broker: &dyn Broker, topic: &str, payload: Value) -> Result<(), Violation> {
    Ok(broker.publish(Event::new(topic, "conformance", payload)).await?)
}

async fn next(subscription: &mut Subscription) -> Result<Value, Violation> {
    match tokio::time::timeout(LONG, subscription.next()).await {
        Ok(Some(delivery)) => Ok(delivery.event.payload.clone()),
        Ok(None) => Err(broken("a subscription stays open", "a message", "its end")),
        Err(_) => Err(broken("what is published arrives", "a message", "nothing")),
    }
}

/// Everything up to the last message of a series.
async fn until_last(subscription: &mut Subscription) -> Result<Vec<Value>, Violation> {
    let mut all = Vec::new();
    loop {
        match next(subscription).await? {
            Value::String(last) if last == LAST => return Ok(all),
            payload => all.push(payload),
        }
    }
}

async fn patterns_hear_what_matches(one: &dyn Broker, other: &dyn Broker) -> Result<(), Violation> {
    let mut exact = one.subscribe("rule.a.c", None).await?;
    let mut star = one.subscribe("rule.*.c", None).await?;
    let mut arrow = one.subscribe("rule.>", None).await?;
    for (number, topic) in ["rule.a.c", "rule.c", "rule.a.b.c", "rule", "b.a.c", "rule.b.c"].into_iter().enumerate() {
        publish(other, topic, json!(number)).await?;
    }
    publish(other, "rule.a.c", json!(LAST)).await?;
    expect("a plain topic hears itself", &until_last(&mut exact).await?, &vec![json!(0)])?;
    expect("a star is one segment", &until_last(&mut star).await?, &vec![json!(0), json!(5)])?;
    let all = vec![json!(0), json!(1), json!(2), json!(5)];
    expect("an arrow is one or more segments", &until_last(&mut arrow).await?, &all)
}

async fn a_group_shares_its_messages(one: &dyn Broker, other: &dyn Broker) -> Result<(), Violation> {
    let mut first = one.subscribe("work.*", Some("workers")).await?;
    let mut second = other.subscribe("work.*", Some("workers")).await?;
    let mut alone = one.subscribe("work.*", None).await?;
    for number in 0..64 {
        publish(other, "work.x", json!(number)).await?;
    }
    let mut heard = Vec::new();
    for _ in 0..64 {
        heard.push(next(&mut alone).await?.as_i64());
    }
    expect("who is in no group hears everything, in order", &heard, &(0..64).map(Some).collect())?;
    let (mut shared, mut shares) = (Vec::new(), [0, 0]);
    while shared.len() < 64 {
        let (member, delivery) = tokio::select! {
            delivery = first.next() => (0, delivery),
            delivery = second.next() => (1, delivery),
            () = tokio::time::sleep(LONG) => return Err(broken("a group gets each message", "64", shared.len().to_string())),
        };
        shares[member] += 1;
        shared.extend(delivery.and_then(|delivery| delivery.event.payload.as_i64()));
    }
    shared.sort_unstable();
    expect("a group gets each message once", &shared, &(0..64).collect())?;
    if shares.contains(&0) {
        return Err(broken("the members of a group share the work", "some for each", format!("{shares:?}")));
    }
    Ok(())
}

async fn a_dropped_subscription_ends(one: &dyn Broker, other: &dyn Broker) -> Result<(), Violation> {
    let gone = one.subscribe("leave", Some("group")).await?;
    let mut stays = other.subscribe("leave", Some("group")).await?;
    drop(gone);
    // Whatever the connection has told before is done once it can publish.
    publish(one, "elsewhere", json!(0)).await?;
    for number in 0..16 {
        publish(other, "leave", json!(number)).await?;
    }
    publish(other, "leave", json!(LAST)).await?;
    let all: Vec<Value> = (0..16).map(Value::from).collect();
    expect("a dropped subscription gives its turn to the others", &until_last(&mut stays).await?, &all)
}

async fn patterns_are_no_topics(broker: &dyn Broker) -> Result<(), Violation> {
    for topic in ["a.*", "a.>", "*"] {
        let refused = Err(BrokerError::WildcardTopic { topic: topic.to_owned() });
        let event = Event::new(topic, "conformance", json!(1));
        expect("a pattern is published on by nobody", &broker.publish(event).await, &refused)?;
        let asked = broker.request(topic, "conformance", json!({}), LONG).await.map(|_| ());
        expect("a pattern is asked by nobody", &asked, &refused)?;
    }
    for topic in ["", "a..b", ".a", "a."] {
        let refused = broker.publish(Event::new(topic, "conformance", json!(1))).await;
        if !matches!(refused, Err(BrokerError::Topic(_))) {
            return Err(broken("what is not a topic is refused", "Topic", format!("{topic}: {refused:?}")));
        }
    }
    Ok(())
}

async fn a_question_that_nobody_hears_fails_at_once(broker: &dyn Broker) -> Result<(), Violation> {
    let asked = broker.request("nobody.here", "conformance", json!({}), LONG).await;
    let nobody = Err(BrokerError::NoResponders { topic: "nobody.here".to_owned() });
    expect("a question that nobody hears fails at once", &asked, &nobody)
}

async fn both_shapes_of_an_answer_are_understood(one: &dyn Broker, other: &dyn Broker) -> Result<(), Violation> {
    let mut questions = other.subscribe("ask", Some("answerers")).await?;
    for wrapped in [true, false] {
        let asking = one.request("ask", "conformance", json!({"method": "m", "params": {"a": 1}}), LONG);
        let answering = async {
            let delivery = questions.next().await;
            let Some(delivery) = delivery else { return Err(broken("a question arrives", "it", "the end")) };
            let (body, reply_to) = delivery.request();
            expect("the body arrives", body, &json!({"method": "m", "params": {"a": 1}}))?;
            expect("the asker is named", &delivery.event.source.as_str(), &"conformance")?;
            let Some(to) = reply_to else { return Err(broken("a question says where to answer", "reply_to", "none")) };
            if wrapped {
                other.respond(&to, "answerer", json!({"result": 7})).await?;
            } else {
                publish(other, &to.topic, json!({"result": 7})).await?;
            }
            Ok(())
        };
        let (answer, answered) = tokio::join!(asking, answering);
        answered?;
        expect("an answer is understood in both shapes", &answer, &Ok(json!({"result": 7})))?;
    }
    Ok(())
}

async fn a_question_that_nobody_answers_times_out(one: &dyn Broker, other: &dyn Broker) -> Result<(), Violation> {
    let _deaf = other.subscribe("deaf", None).await?;
    let after = Duration::from_millis(50);
    let asked = one.request("deaf", "conformance", json!({}), after).await;
    let late = Err(BrokerError::Timeout { topic: "deaf".to_owned(), after });
    expect("a question that nobody answers ends at its deadline", &asked, &late)
}

async fn many_questions_at_once_get_their_own_answers(
    one: &Arc<dyn Broker>,
    other: &dyn Broker,
) -> Result<(), Violation> {
    const MANY: u64 = 200;
    let mut questions = other.subscribe("echo", Some("echoes")).await?;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..MANY {
        let broker = Arc::clone(one);
        asking.spawn(async move {
            let body = json!({"method": "echo", "params": number});
            (number, broker.request("echo", "conformance", body, LONG).await)
        });
    }
    for _ in 0..MANY {
        let Some(delivery) = questions.next().await else { break };
        let (body, Some(to)) = delivery.request() else { continue };
        other.respond(&to, "echo", json!({"result": body["params"]})).await?;
    }
    while let Some(Ok((number, answer))) = asking.join_next().await {
        expect("each question gets its own answer", &answer, &Ok(json!({ "result": number })))?;
    }
    Ok(())
}
