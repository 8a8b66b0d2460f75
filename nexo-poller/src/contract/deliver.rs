use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::{PollContext, PollerError, check_topic, topics};

/// Where a poller sends its messages: a channel of the owning agent, and a recipient there.
///
/// A config field of this type is written by the operator as `deliver: { channel: telegram, to: "1194292426" }`
/// (`recipient` is accepted for `to`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Deliver {
    /// The channel's name: `telegram`, `whatsapp`, `console` …
    #[serde(deserialize_with = "part_of_topic")]
    pub channel: String,
    /// The recipient, in the channel's own terms.
    #[serde(alias = "recipient")]
    pub to: String,
}

impl Deliver {
    /// To the recipient `to` on `channel`.
    pub fn new(channel: impl Into<String>, to: impl Into<String>) -> Self {
        Self { channel: channel.into(), to: to.into() }
    }

    /// Sends `text`: resolves the agent's account on the channel and publishes `{"to", "text"}` on
    /// `plugin.outbound.<channel>.<account_id>`. The account is [asked for](super::PollerHost::account_id) once a tick, however
    /// many messages there are.
    ///
    /// # Errors
    /// [`PollerError::CredentialsMissing`] where the agent has no account on the channel,
    /// [`PollerError::Permanent`] where its credentials name no usable account, and whatever publishing returns.
    pub async fn send(&self, ctx: &PollContext, text: &str) -> Result<(), PollerError> {
        let topic = self.topic(ctx).await?;
        ctx.publish(&topic, &json!({ "to": self.to, "text": text })).await?;
        Ok(())
    }

    /// The topic that [`send`](Self::send) publishes on, for pollers that publish more than text.
    ///
    /// # Errors
    /// As [`send`](Self::send), without those of publishing.
    pub async fn topic(&self, ctx: &PollContext) -> Result<String, PollerError> {
        let account = ctx.host.account_id(self.channel.clone()).await?;
        // Of both together: it must not be too long either.
        let topic = account.filter(|id| check_topic(id).is_ok() && check_topic(&self.channel).is_ok());
        match topic.map(|account| topics::outbound(&self.channel, &account)) {
            Some(topic) if check_topic(&topic).is_ok() => Ok(topic),
            _ => Err(PollerError::permanent(format!(
                "agent `{}` has no usable `account_id` on channel `{}`: it must be a part of a topic: no spaces, `*`, `>` or invisible characters",
                ctx.agent_id, self.channel
            ))),
        }
    }
}

/// A name that becomes a part of a topic. One that cannot be that is refused where the config is read, not at the first message.
fn part_of_topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_topic(&name).map_err(D::Error::custom)?;
    Ok(name)
}

#[cfg(test)]
mod tests;
