use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::kinds::interned;
use super::{InFlight, PluginLink};
use crate::broker::{Broker, BrokerError};
use crate::contract::{PollContext, Poller, PollerError, Redact, TickAck};
use crate::manifest::Manifest;
use crate::wire::{Event, TickCancel, TickReply, TickRequest};

/// A plugin answers its own deadline; this much later nobody waits for that answer any more.
const MARGIN: Duration = Duration::from_secs(5);

/// After its time a tick that is cancelled has this long for its plugin's own answer, which says more than ours. A plugin gives its
/// ticks 4 s once it is told to stop.
pub(super) const AFTER_CANCEL: Duration = Duration::from_millis(4_500);

/// A supervisor tells of a crash within this time.
const SUPERVISOR_SAYS: Duration = Duration::from_secs(3);

/// One kind of a long-lived plugin, as a poller.
pub struct PluginPollerProxy {
    kind: &'static str,
    plugin: String,
    topic: String,
    cancel_topic: String,
    /// What the manifest gives a tick.
    timeout: Duration,
    broker: Arc<dyn Broker>,
    link: PluginLink,
    in_flight: InFlight,
    redact: Redact,
}

impl fmt::Debug for PluginPollerProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginPollerProxy")
            .field("kind", &self.kind)
            .field("plugin", &self.plugin)
            .field("topic", &self.topic)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl PluginPollerProxy {
    /// The proxy of `kind` of the plugin that `manifest` describes.
    #[must_use]
    pub fn new(
        kind: &str,
        manifest: &Manifest,
        broker: Arc<dyn Broker>,
        link: PluginLink,
        in_flight: InFlight,
    ) -> Self {
        let section = manifest.plugin.poller.as_ref();
        let timeout = section.map_or(60, |section| section.tick_timeout_secs);
        Self {
            kind: interned(kind),
            plugin: manifest.plugin.id.clone(),
            topic: section.map(crate::manifest::PollerSection::tick_topic).unwrap_or_default(),
            cancel_topic: section.map(crate::manifest::PollerSection::cancel_topic).unwrap_or_default(),
            timeout: Duration::from_secs(timeout.into()),
            broker,
            link,
            in_flight,
            redact: Redact::default(),
        }
    }

    /// Applies `redact` to the errors of its ticks.
    #[must_use]
    pub fn with_redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// Asks the plugin, and says in a sentence why there is no answer.
    async fn ask(&self, ctx: &PollContext, generation: u64) -> Result<Value, String> {
        let over = Instant::now() + self.timeout + AFTER_CANCEL;
        let asked = self.broker.request(&self.topic, "daemon", TickRequest::body(ctx), self.timeout + MARGIN);
        // One that is cancelled before its time may go on at the other end for as long as that lasts: a plugin that does not know
        // the word `cancel` does. Only its answer, or the end of its process, tells that it is over.
        let late = async {
            ctx.cancel.cancelled().await;
            let cancel = Event::new(&*self.cancel_topic, "daemon", TickCancel::of(ctx).to_value());
            if let Err(error) = self.broker.publish(cancel).await {
                tracing::debug!(plugin = self.plugin, %error, "the plugin could not be told that a tick is cancelled");
            }
            tokio::time::sleep_until(over).await;
        };
        let answer = tokio::select! {
            // What has been answered counts, even where the plugin has gone since.
            biased;
            answer = asked => answer,
            why = self.link.lost(generation) => {
                return Err(format!("was lost while it ran this tick ({why})"));
            }
            () = late => return Err("had not answered when this tick was stopped".to_owned()),
        };
        match answer {
            Ok(body) => Ok(body),
            Err(BrokerError::Timeout { after, .. }) => {
                Err(format!("did not answer this tick within {} s", after.as_secs()))
            }
            // Just after a crash nobody listens, and the supervisor is about to say why.
            Err(BrokerError::NoResponders { topic }) if self.link.is_remote() => Err(format!(
                "does not run: no copy of it listens on `{topic}`; start one with NEXO_BROKER_URL set to the broker's URL"
            )),
            Err(BrokerError::NoResponders { topic }) => {
                match tokio::time::timeout(SUPERVISOR_SAYS, self.link.lost(generation)).await {
                    Ok(why) => Err(format!("was lost before it ran this tick ({why})")),
                    Err(_) => Err(format!("does not listen on `{topic}`; its manifest must subscribe to it")),
                }
            }
            Err(error) => Err(format!("cannot be asked: {error}")),
        }
    }
}

/// Why a tick that answered has failed all the same, in words that continue "plugin `x` …".
pub(super) fn has_lost(why: &str) -> String {
    format!("published a message that has not gone out: {why}")
}

#[async_trait]
impl Poller for PluginPollerProxy {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let generation = self.link.generation().map_err(PollerError::transient)?;
        let place = self.in_flight.enter(&self.plugin, ctx);
        let answer = self.ask(ctx, generation).await.map(|body| TickReply::read(&body));
        let why = match (answer, place.lost()) {
            (Ok(Err(error)), _) => return Err(self.redact.error(error)),
            (Ok(Ok(ack)), None) => return Ok(ack),
            (Ok(Ok(_)), Some(lost)) => has_lost(&lost),
            (Err(why), _) => why,
        };
        let plugin = &self.plugin;
        Err(PollerError::transient(format!("plugin `{plugin}` {why}; the cursor has not moved")))
    }
}
