use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
use async_trait::async_trait;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::inbox::{Arrival, Inbox};
use super::link::Link;
use super::options::NatsOptions;
use super::receive::delivery;
use crate::broker::local::check_topic;
use crate::broker::stdio::answer_too_large;
use crate::broker::{Broker, BrokerError, Subscription};
use crate::wire::{Event, Pattern, ReplyTo, matches, open_answer, topics};

/// The room that a message's headers take.
const HEADERS: usize = 128;

/// A server that does not answer a ping within twice this is taken as lost.
const PING: Duration = Duration::from_secs(5);

/// Tries to connect again come at most this far apart.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// A connection to NATS. Cheap to clone; all clones are one connection.
///
/// A connection that is lost is tried again until it is back, and all subscriptions with it. Meanwhile a publish or a
/// request waits a little ([`NatsOptions::reconnect_timeout`]) and then fails with [`BrokerError::Closed`], which a tick reports as
/// transient. A request whose answer is on its way is not given up before its deadline: its tick may still run.
#[derive(Clone)]
pub struct NatsBroker {
    pub(super) client: Client,
    pub(super) link: Arc<Link>,
    pub(super) inbox: Inbox,
    pub(super) reconnect_timeout: Duration,
    stored: Arc<[Pattern]>,
}

impl NatsBroker {
    /// Connects.
    ///
    /// # Errors
    /// [`BrokerError::Setup`] where the options cannot be used or the server refuses us, [`BrokerError::Closed`] where no
    /// server can be reached in time.
    pub async fn connect(options: NatsOptions) -> Result<Self, BrokerError> {
        let stored = options.stored.iter().map(|pattern| pattern.parse()).collect::<Result<Vec<Pattern>, _>>()?;
        let link = Arc::new(Link::new(options.servers()));
        let learning = Arc::clone(&link);
        let settings = options
            .client_options()
            .await?
            .ping_interval(PING)
            .connection_timeout(options.connect_timeout.min(Duration::from_secs(5)))
            .custom_inbox_prefix(topics::inbox(&options.name))
            .reconnect_delay_callback(delay)
            .event_callback(move |event| {
                learning.learn(&event);
                std::future::ready(())
            });
        let until = Instant::now() + options.connect_timeout;
        let client = loop {
            let trying = settings.clone().connect(options.addresses.servers.clone());
            let error = match timeout_at(until, trying).await {
                Ok(Ok(client)) => break client,
                Ok(Err(error)) => error,
                Err(_) => return Err(link.lost()),
            };
            if matches!(error.kind(), Authentication | AuthorizationViolation | ServerParse | Tls) {
                let reason = format!("the NATS server at {} does not take us: {error}", options.servers());
                return Err(BrokerError::Setup { reason });
            }
            let again = Instant::now() + Duration::from_millis(250);
            if again >= until {
                return Err(link.lost());
            }
            tokio::time::sleep_until(again).await;
        };
        link.learn(&async_nats::Event::Connected);
        let inbox = Inbox::open(&client, &options.name).await.map_err(|_| link.lost())?;
        let broker = Self { client, link, inbox, reconnect_timeout: options.reconnect_timeout, stored: stored.into() };
        broker.taken(topics::INBOX).await?;
        Ok(broker)
    }

    /// Messages that were dropped because this process did not take them quickly enough.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.link.dropped()
    }

    /// The client below, for what is not a broker's: JetStream.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Says goodbye to the server.
    pub async fn close(&self) {
        // What was published is confirmed already; a connection that is gone needs no goodbye.
        let _ = self.client.drain().await;
    }

    fn is_stored(&self, topic: &str) -> bool {
        self.stored.iter().any(|pattern| matches(pattern.as_str(), topic))
    }
}

/// At once, then at growing distances.
fn delay(attempts: usize) -> Duration {
    let doubled = 50_u64.saturating_mul(1 << attempts.min(6));
    if attempts <= 1 { Duration::ZERO } else { Duration::from_millis(doubled).min(LONGEST_DELAY) }
}

#[async_trait]
impl Broker for NatsBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        check_topic(&event.topic)?;
        let payload = self.encoded(&event.topic, &event, HEADERS)?;
        self.link.up(self.reconnect_timeout).await?;
        if self.is_stored(&event.topic) {
            self.publish_stored(&event.topic, &event.id, payload).await
        } else {
            self.publish_taken(&event.topic, &event.id, payload).await
        }
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        let pattern: Pattern = pattern.parse()?;
        self.link.up(self.reconnect_timeout).await?;
        let subject = pattern.as_str().to_owned();
        let subscriber = match queue_group {
            Some(group) => self.client.queue_subscribe(subject, group.to_owned()).await,
            None => self.client.subscribe(subject).await,
        };
        let subscriber = subscriber.map_err(|_| self.link.lost())?;
        self.taken(pattern.as_str()).await?;
        Ok(Subscription::of_nats(subscriber))
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        check_topic(topic)?;
        let until = Instant::now() + timeout;
        let mut place = self.inbox.place();
        let payload = self.encoded(topic, &Event::request(topic, source, place.subject(), body), 0)?;
        self.link.up(self.reconnect_timeout.min(timeout)).await?;
        let reply = place.subject().to_owned();
        self.client.publish_with_reply(topic.to_owned(), reply, payload).await.map_err(|_| self.link.lost())?;
        match timeout_at(until, place.arrival()).await {
            Ok(Some(Arrival::Message(message))) => {
                let answer = Arc::unwrap_or_clone(delivery(message).event).payload;
                Ok(open_answer(answer))
            }
            Ok(Some(Arrival::NoResponders)) => match self.link.take_refusal(topic) {
                Some(reason) => Err(BrokerError::Refused { topic: topic.to_owned(), reason }),
                None => Err(BrokerError::NoResponders { topic: topic.to_owned() }),
            },
            Ok(None) => Err(BrokerError::Closed { reason: "the connection to NATS was closed".to_owned() }),
            Err(_) => match self.link.take_refusal(topic) {
                Some(reason) => Err(BrokerError::Refused { topic: topic.to_owned(), reason }),
                None if self.link.up_since().is_none() => Err(self.link.lost()),
                None => Err(BrokerError::Timeout { topic: topic.to_owned(), after: timeout }),
            },
        }
    }

    async fn respond(&self, to: &ReplyTo, source: &str, body: Value) -> Result<(), BrokerError> {
        check_topic(&to.topic)?;
        let encoded = |body: &Value| match to.bare {
            true => self.encoded(&to.topic, body, 0),
            false => self.encoded(&to.topic, &Event::answer(&to.topic, source, body.clone()), 0),
        };
        let payload = match encoded(&body) {
            Ok(payload) => payload,
            // Whoever asked is told so, and does not wait for its deadline.
            Err(BrokerError::TooLarge { size, limit, .. }) => encoded(&answer_too_large(&body, !to.bare, size, limit))?,
            Err(error) => return Err(error),
        };
        self.publish_answer(&to.topic, payload).await
    }
}

impl std::fmt::Debug for NatsBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBroker").field("link", &self.link).finish_non_exhaustive()
    }
}
