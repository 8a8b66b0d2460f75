use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{Broker, BrokerError, Delivery, Subscription};
use crate::wire::{Event, Pattern, open_answer, random_id, topics};

/// The broker inside one process. Cheap to clone; all clones are one broker.
///
/// Each subscription has a bounded queue. A message for a full queue is dropped and counted ([`dropped`](Self::dropped)):
/// one slow listener never holds up the others. Its publisher is told ([`BrokerError::QueueFull`]), so that a tick does not
/// count as done whose message somebody has missed.
#[derive(Debug, Clone, Default)]
pub struct LocalBroker {
    shared: Arc<Shared>,
}

/// Bounds of a [`LocalBroker`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalBrokerOptions {
    /// Messages that one subscription may have waiting.
    pub queue_capacity: usize,
}

impl LocalBrokerOptions {
    /// Lets one subscription have so many messages waiting.
    #[must_use]
    pub const fn with_queue_capacity(mut self, messages: usize) -> Self {
        self.queue_capacity = messages;
        self
    }
}

impl Default for LocalBrokerOptions {
    fn default() -> Self {
        Self { queue_capacity: 1024 }
    }
}

#[derive(Debug, Default)]
struct Shared {
    options: LocalBrokerOptions,
    routes: RwLock<Routes>,
    waiting: Mutex<Waiting>,
    dropped: AtomicU64,
    next_id: AtomicU64,
}

/// Requests that wait for their answer.
#[derive(Debug, Default)]
struct Waiting {
    /// No answer can come any more, so nobody is to wait for one.
    closed: bool,
    /// By reply topic.
    calls: HashMap<String, oneshot::Sender<Value>>,
}

/// Who listens to what. Topics without wildcards, by far the most, are one look-up.
#[derive(Debug, Default)]
struct Routes {
    exact: HashMap<String, Vec<Listener>>,
    wildcard: Vec<(Pattern, Listener)>,
}

#[derive(Debug, Clone)]
struct Listener {
    id: u64,
    group: Option<Arc<Group>>,
    queue: mpsc::Sender<Delivery>,
}

/// A queue group of one pattern; `turn` goes round its members.
#[derive(Debug)]
struct Group {
    name: String,
    turn: AtomicUsize,
}

/// What became of one message.
struct Delivered {
    /// Listeners and groups that were to have it.
    wanted: usize,
    /// Those of them that had room.
    taken: usize,
}

impl LocalBroker {
    /// A broker with the default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A broker with bounds of the caller's.
    #[must_use]
    pub fn with_options(options: LocalBrokerOptions) -> Self {
        Self { shared: Arc::new(Shared { options, ..Shared::default() }) }
    }

    /// How many deliveries were dropped because a subscription's queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Whether anybody listens on `topic`.
    #[must_use]
    pub fn has_listeners(&self, topic: &str) -> bool {
        !self.shared.listeners(topic).is_empty()
    }

    /// Opens a question: an answer published on its `reply_to` reaches whoever holds it.
    pub(super) fn ask(&self) -> Question {
        let reply_to = topics::reply(&random_id());
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.closed {
            waiting.calls.insert(reply_to.clone(), sender);
        }
        drop(waiting);
        Question { broker: self.clone(), reply_to, answer }
    }

    /// Lets every open question know that no answer will come, and every subscription that nothing more will.
    pub(super) fn close(&self) {
        *self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner) =
            Waiting { closed: true, calls: HashMap::new() };
        *self.shared.routes.write().unwrap_or_else(PoisonError::into_inner) = Routes::default();
    }

    /// Publishes without waiting for anything, for callers that are not async.
    pub(super) fn publish_now(&self, event: Event) -> Result<(), BrokerError> {
        check_topic(&event.topic)?;
        let Some(event) = self.answer(event) else { return Ok(()) };
        let topic = event.topic.clone();
        let delivered = self.deliver(event);
        // Those who had room have it now, and will have it again if the publisher repeats it: under the same id.
        if delivered.taken < delivered.wanted { Err(BrokerError::QueueFull { topic }) } else { Ok(()) }
    }

    /// Delivers to everybody who listens.
    fn deliver(&self, event: Event) -> Delivered {
        let listeners = self.shared.listeners(&event.topic);
        let mut chosen = Vec::with_capacity(listeners.len());
        let mut groups: Vec<(&Arc<Group>, Vec<&Listener>)> = Vec::new();
        for listener in &listeners {
            match &listener.group {
                None => chosen.push(vec![listener]),
                Some(group) => match groups.iter_mut().find(|(known, _)| known.name == group.name) {
                    Some((_, members)) => members.push(listener),
                    None => groups.push((group, vec![listener])),
                },
            }
        }
        chosen.extend(groups.into_iter().map(|(group, mut members)| {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed) % members.len();
            members.rotate_left(turn);
            members
        }));
        let delivery = Delivery::from(event);
        let mut delivered = Delivered { wanted: chosen.len(), taken: 0 };
        for candidates in &chosen {
            // A group's next member stands in for one whose queue is full.
            if candidates.iter().any(|listener| listener.queue.try_send(delivery.clone()).is_ok()) {
                delivered.taken += 1;
            } else {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        delivered
    }

    /// Hands `event` to the request that waits for it, if it is an answer.
    fn answer(&self, event: Event) -> Option<Event> {
        if !topics::is_reply(&event.topic) {
            return Some(event);
        }
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&event.topic);
        match waiting {
            Some(waiting) => {
                // Whoever asked may have gone by now; then nobody needs the answer.
                let _ = waiting.send(open_answer(event.payload));
                None
            }
            None => Some(event),
        }
    }
}

impl Shared {
    fn listeners(&self, topic: &str) -> Vec<Listener> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let exact = routes.exact.get(topic).into_iter().flatten();
        let wildcard =
            routes.wildcard.iter().filter(|(pattern, _)| pattern.matches(topic)).map(|(_, listener)| listener);
        exact.chain(wildcard).cloned().collect()
    }

    fn unsubscribe(&self, pattern: &Pattern, id: u64) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.wildcard.retain(|(_, listener)| listener.id != id);
        if let Some(listeners) = routes.exact.get_mut(pattern.as_str()) {
            listeners.retain(|listener| listener.id != id);
            if listeners.is_empty() {
                routes.exact.remove(pattern.as_str());
            }
        }
    }
}

impl Routes {
    /// The group called `name` on `pattern`, shared with whoever is in it already.
    fn group(&self, pattern: &Pattern, name: &str) -> Arc<Group> {
        let exact = self.exact.get(pattern.as_str()).into_iter().flatten();
        let wildcard = self.wildcard.iter().filter(|(known, _)| known == pattern).map(|(_, listener)| listener);
        exact
            .chain(wildcard)
            .filter_map(|listener| listener.group.as_ref())
            .find(|group| group.name == name)
            .map_or_else(|| Arc::new(Group { name: name.to_owned(), turn: AtomicUsize::new(0) }), Arc::clone)
    }
}

#[async_trait]
impl Broker for LocalBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        self.publish_now(event)
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        let pattern: Pattern = pattern.parse()?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (queue, receiver) = mpsc::channel(self.shared.options.queue_capacity);
        let mut routes = self.shared.routes.write().unwrap_or_else(PoisonError::into_inner);
        let group = queue_group.map(|name| routes.group(&pattern, name));
        let listener = Listener { id, group, queue };
        if pattern.is_wildcard() {
            routes.wildcard.push((pattern.clone(), listener));
        } else {
            routes.exact.entry(pattern.as_str().to_owned()).or_default().push(listener);
        }
        let shared = Arc::downgrade(&self.shared);
        Ok(Subscription::new(receiver, move || {
            if let Some(shared) = shared.upgrade() {
                shared.unsubscribe(&pattern, id);
            }
        }))
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        check_topic(topic)?;
        let question = self.ask();
        let delivered = self.deliver(Event::request(topic, source, question.reply_to(), body));
        if delivered.wanted == 0 {
            return Err(BrokerError::NoResponders { topic: topic.to_owned() });
        }
        if delivered.taken == 0 {
            return Err(BrokerError::QueueFull { topic: topic.to_owned() });
        }
        question.answer(topic, timeout).await
    }
}

/// A request that waits for its answer. However it ends, an abandoned one leaves nothing behind.
pub(super) struct Question {
    broker: LocalBroker,
    reply_to: String,
    answer: oneshot::Receiver<Value>,
}

impl Question {
    /// Where the answer is to be published.
    pub(super) fn reply_to(&self) -> &str {
        &self.reply_to
    }

    /// Waits for the answer; `topic` names the request in errors.
    pub(super) async fn answer(mut self, topic: &str, timeout: Duration) -> Result<Value, BrokerError> {
        match tokio::time::timeout(timeout, &mut self.answer).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(BrokerError::Closed { reason: "the other side is gone".to_owned() }),
            Err(_) => Err(BrokerError::Timeout { topic: topic.to_owned(), after: timeout }),
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.broker.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&self.reply_to);
    }
}

/// Messages are published on topics, not on patterns.
pub(super) fn check_topic(topic: &str) -> Result<(), BrokerError> {
    let pattern: Pattern = topic.parse()?;
    if pattern.is_wildcard() {
        return Err(BrokerError::WildcardTopic { topic: topic.to_owned() });
    }
    Ok(())
}
