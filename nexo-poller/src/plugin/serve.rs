use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;

use super::ticks::identity_of;
use super::{BrokerPollerHost, HostTimeouts, TickRunner, notice};
use crate::broker::{Broker, BrokerError, Delivery, Subscription};
use crate::contract::{PollerError, PollerHost};
use crate::manifest::{Manifest, PollerSection};
use crate::wire::{TickCancel, TickOrder, TickReply, answer_to};

/// Ticks that may wait for a free slot; more are told to come back later.
const MAX_PENDING: usize = 1024;

/// What a plugin hears from its daemons.
pub(super) struct Listening {
    orders: Subscription,
    cancels: Subscription,
}

/// Serves a plugin's ticks from any broker.
#[derive(Clone)]
pub struct TickServer {
    broker: Arc<dyn Broker>,
    ticks: Arc<TickRunner>,
    plugin_id: Arc<str>,
    timeouts: HostTimeouts,
    topic: String,
    cancel_topic: String,
}

impl fmt::Debug for TickServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickServer")
            .field("topic", &self.topic)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl TickServer {
    /// A server of the plugin that `manifest` describes.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, ticks: Arc<TickRunner>, manifest: &Manifest) -> Self {
        Self {
            broker,
            ticks,
            plugin_id: manifest.plugin.id.as_str().into(),
            timeouts: HostTimeouts::default(),
            topic: manifest.plugin.poller.as_ref().map(PollerSection::tick_topic).unwrap_or_default(),
            cancel_topic: manifest.plugin.poller.as_ref().map(PollerSection::cancel_topic).unwrap_or_default(),
        }
    }

    /// Waits for other times than the default ones.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: HostTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Answers ticks until `stop` or until the broker is closed, then cancels those that still run and answers them.
    /// Copies of one plugin share the work: they listen as one queue group.
    ///
    /// # Errors
    /// [`BrokerError`] where the tick topic cannot be listened to.
    pub async fn serve(&self, stop: impl Future<Output = ()>) -> Result<(), BrokerError> {
        let orders = self.listen().await?;
        self.answer_all(orders, stop).await;
        Ok(())
    }

    /// Listens for ticks; [`answer_all`](Self::answer_all) takes them from there.
    pub(super) async fn listen(&self) -> Result<Listening, BrokerError> {
        let orders = self.broker.subscribe(&self.topic, Some(&self.plugin_id)).await?;
        // Each copy hears every cancel: who asked does not know which of them runs the tick.
        let cancels = self.broker.subscribe(&self.cancel_topic, None).await?;
        Ok(Listening { orders, cancels })
    }

    /// What [`serve`](Self::serve) does once it listens.
    pub(super) async fn answer_all(&self, listening: Listening, stop: impl Future<Output = ()>) {
        let Listening { mut orders, mut cancels } = listening;
        let mut cancelling = true;
        let mut running = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = running.join_next(), if !running.is_empty() => {}
                cancel = cancels.next(), if cancelling => match cancel {
                    Some(delivery) => self.cancel(&delivery),
                    None => cancelling = false,
                },
                delivery = orders.next_request() => match delivery {
                    Some(delivery) => {
                        // Those that have ended do not count.
                        while running.try_join_next().is_some() {}
                        let server = self.clone();
                        let full = running.len() >= MAX_PENDING;
                        running.spawn(async move { server.answer(delivery, full).await });
                    }
                    None => break,
                },
            }
        }
        self.ticks.stop();
        // Other copies get what comes from now on; what has come to this one is answered, though only with a refusal.
        orders.close().await;
        while let Some(delivery) = orders.next_request().await {
            let server = self.clone();
            running.spawn(async move { server.answer(delivery, false).await });
        }
        while running.join_next().await.is_some() {}
    }

    /// Nobody is told of a cancel that cannot be read: what it was about ends at its deadline.
    fn cancel(&self, delivery: &Delivery) {
        if let Some(cancel) = TickCancel::read(&delivery.event.payload) {
            self.ticks.cancel(&cancel);
        }
    }

    /// The body that answers the request `body`. `repeated`: see [`TickReply::body`].
    pub(super) async fn answer_body(&self, body: &Value, repeated: bool) -> Value {
        answer_to(body, self.ticks.answer(body, |order| self.host(order), repeated).await)
    }

    fn host(&self, order: &TickOrder) -> Arc<dyn PollerHost> {
        let (broker, plugin_id) = (Arc::clone(&self.broker), Arc::clone(&self.plugin_id));
        Arc::new(BrokerPollerHost::new(broker, plugin_id, self.timeouts.clone(), identity_of(order)))
    }

    async fn answer(&self, delivery: Delivery, full: bool) {
        let (body, Some(reply_to)) = delivery.request() else {
            let topic = &delivery.event.topic;
            notice::warn(&format!(
                "a tick on `{topic}` names no reply_to and was dropped: nobody would learn its cursor"
            ));
            return;
        };
        let answer = if let Some(fault) = delivery.fault() {
            TickReply::failure(&fault, !reply_to.bare)
        } else if full {
            let busy = format!("this plugin has {MAX_PENDING} ticks waiting already; start another copy of it");
            answer_to(body, TickReply::body(&Err(PollerError::transient(busy)), !reply_to.bare))
        } else {
            self.answer_body(body, !reply_to.bare).await
        };
        if let Err(error) = self.broker.respond(&reply_to, &self.plugin_id, answer).await {
            notice::warn(&format!(
                "the answer to a tick could not be sent, so the daemon will run it again from the old cursor: {error}"
            ));
        }
    }
}
