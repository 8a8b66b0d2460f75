use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::client::NatsBroker;
use super::inbox::Arrival;
use crate::broker::BrokerError;

/// The header by which a stream drops what it has already.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// An answer to somebody who is not there is tried again after this, while connections have just come back.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Turns that other tasks get before it is said that nothing was refused.
const REFUSAL_YIELDS: usize = 4;

/// Nobody waits for an answer much longer.
const ANSWER_WORTH: Duration = Duration::from_secs(60);

/// What a stream answers to a publish.
#[derive(Deserialize)]
struct Stored {
    stream: Option<String>,
    error: Option<ServerError>,
}

#[derive(Deserialize)]
struct ServerError {
    #[serde(default)]
    description: String,
}

impl NatsBroker {
    /// The bytes of a message, where the server takes so many.
    pub(super) fn encoded(&self, topic: &str, message: &impl Serialize, headers: usize) -> Result<Bytes, BrokerError> {
        // Writing to memory cannot fail, and no type of ours has keys that are not strings.
        let bytes = serde_json::to_vec(message).unwrap_or_default();
        let (size, limit) = (bytes.len() + headers, self.client.max_payload());
        if size > limit {
            return Err(BrokerError::TooLarge { topic: topic.to_owned(), size, limit });
        }
        Ok(bytes.into())
    }

    /// Publishes, and waits until the server has taken it.
    pub(super) async fn publish_taken(&self, topic: &str, id: &str, payload: Bytes) -> Result<(), BrokerError> {
        // What waits in a connection's buffer goes with it, and what comes after goes out on the next one.
        let connection = self.connection();
        let sent = self.client.publish_with_headers(topic.to_owned(), headers(id), payload).await;
        sent.map_err(|_| self.link.lost())?;
        self.taken(topic).await?;
        if self.connection() == connection { Ok(()) } else { Err(self.unconfirmed(topic)) }
    }

    /// Which of its connections the client uses.
    fn connection(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until the server has handled everything that this connection has sent so far: it handles messages in their
    /// order, so one that this connection sends to itself comes back after the others were taken.
    pub(super) async fn taken(&self, topic: &str) -> Result<(), BrokerError> {
        let mut place = self.inbox.place();
        let sent = self.client.publish(place.subject().to_owned(), Bytes::new()).await;
        sent.map_err(|_| self.link.lost())?;
        if !matches!(timeout(self.reconnect_timeout, place.arrival()).await, Ok(Some(_))) {
            return Err(self.unconfirmed(topic));
        }
        // A refusal came before, on a way of its own through the client: it is let pass.
        for _ in 0..REFUSAL_YIELDS {
            tokio::task::yield_now().await;
        }
        match self.link.take_refusal(topic) {
            Some(said) => Err(BrokerError::Refused { topic: topic.to_owned(), reason: said }),
            None => Ok(()),
        }
    }

    /// Publishes where a stream listens, and waits until the stream has it.
    pub(super) async fn publish_stored(&self, topic: &str, id: &str, payload: Bytes) -> Result<(), BrokerError> {
        let mut place = self.inbox.place();
        let (reply, headers) = (place.subject().to_owned(), headers(id));
        let sent = self.client.publish_with_reply_and_headers(topic.to_owned(), reply, headers, payload).await;
        sent.map_err(|_| self.link.lost())?;
        let refuse = |why: &str| BrokerError::Closed { reason: format!("no stream keeps `{topic}`: {why}") };
        match timeout(self.reconnect_timeout, place.arrival()).await {
            Ok(Some(Arrival::Message(answer))) => match serde_json::from_slice(&answer.payload) {
                Ok(Stored { error: None, stream: Some(_) }) => Ok(()),
                Ok(Stored { error: Some(refused), .. }) => Err(refuse(&refused.description)),
                _ => Err(refuse("somebody else answered")),
            },
            Ok(Some(Arrival::NoResponders)) => Err(refuse("make one over it, or do not call it stored")),
            Ok(None) | Err(_) => Err(self.unconfirmed(topic)),
        }
    }

    /// Publishes an answer. Just after a connection has come back, whoever asked may not be there again yet: then it is
    /// tried until somebody listens, for as long as it is worth it.
    pub(super) async fn publish_answer(&self, topic: &str, payload: Bytes) -> Result<(), BrokerError> {
        let until = Instant::now() + ANSWER_WORTH;
        loop {
            self.link.up(until.saturating_duration_since(Instant::now())).await?;
            if self.link.is_settled() {
                let sent = self.client.publish(topic.to_owned(), payload).await;
                return sent.map_err(|_| self.link.lost());
            }
            let mut place = self.inbox.place();
            let reply = place.subject().to_owned();
            let sent = self.client.publish_with_reply(topic.to_owned(), reply, payload.clone()).await;
            sent.map_err(|_| self.link.lost())?;
            // Nobody answers an answer; that nobody listens is said before the server gets to what comes after it.
            let taken = tokio::select! {
                biased;
                arrival = place.arrival() => !matches!(arrival, Some(Arrival::NoResponders)),
                taken = self.taken(topic) => taken.is_ok(),
            };
            if taken || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn unconfirmed(&self, topic: &str) -> BrokerError {
        match self.link.up_since() {
            None => self.link.lost(),
            Some(_) => BrokerError::Timeout { topic: topic.to_owned(), after: self.reconnect_timeout },
        }
    }
}

fn headers(id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // One with a line break can stand in no header: a plugin may send any text.
    if let (false, Ok(id)) = (id.is_empty(), id.parse::<HeaderValue>()) {
        headers.insert(MESSAGE_ID, id);
    }
    headers
}
