use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::kinds::interned;
use super::{InFlight, PluginLink};
use crate::broker::{Broker, BrokerError};
use crate::contract::{PollContext, Poller, PollerError, TickAck};
use crate::manifest::Manifest;
use crate::wire::{TickReply, TickRequest};

/// A plugin answers its own deadline; this much later the daemon stops waiting for that answer.
const MARGIN: Duration = Duration::from_secs(5);

/// One kind of a long-lived plugin, as a poller.
pub struct PluginPollerProxy {
    kind: &'static str,
    description: &'static str,
    plugin: String,
    topic: String,
    timeout: Duration,
    broker: Arc<dyn Broker>,
    link: PluginLink,
    in_flight: InFlight,
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
            description: interned(&manifest.plugin.description),
            plugin: manifest.plugin.id.clone(),
            topic: section.map(crate::manifest::PollerSection::tick_topic).unwrap_or_default(),
            timeout: Duration::from_secs(timeout.into()) + MARGIN,
            broker,
            link,
            in_flight,
        }
    }
}

#[async_trait]
impl Poller for PluginPollerProxy {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn description(&self) -> &'static str {
        self.description
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let generation = self.link.generation().map_err(PollerError::transient)?;
        let _place = self.in_flight.enter(&self.plugin, ctx);
        let asked = self.broker.request(&self.topic, "daemon", TickRequest::body(ctx), self.timeout);
        let answer = tokio::select! {
            answer = asked => answer,
            why = self.link.lost(generation) => {
                return Err(PollerError::transient(format!(
                    "plugin `{}` was lost while it ran this tick ({why}); the cursor has not moved", self.plugin
                )));
            }
        };
        match answer {
            Ok(body) => TickReply::read(&body),
            Err(BrokerError::Timeout { after, .. }) => Err(PollerError::transient(format!(
                "plugin `{}` did not answer this tick within {} s; the cursor has not moved",
                self.plugin,
                after.as_secs()
            ))),
            Err(BrokerError::NoResponders { topic }) => Err(PollerError::transient(format!(
                "plugin `{}` does not listen on `{topic}`; its manifest must subscribe to it",
                self.plugin
            ))),
            Err(error) => Err(PollerError::transient(format!("plugin `{}`: {error}", self.plugin))),
        }
    }
}
