use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{PollContext, PollerError, topics};

/// Where a poller sends its messages: a channel of the owning agent, and a recipient there.
///
/// A config field of this type is written by the operator as `deliver: { channel: telegram, to: "1194292426" }`
/// (`recipient` is accepted for `to`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Deliver {
    /// The channel's name: `telegram`, `whatsapp`, `console` …
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
        match account.filter(|id| is_topic_part(id)) {
            Some(account) if is_topic_part(&self.channel) => Ok(topics::outbound(&self.channel, &account)),
            _ => Err(PollerError::permanent(format!(
                "agent `{}` has no usable `account_id` on channel `{}`: it must be non-empty, without spaces, `*` or `>`",
                ctx.agent_id, self.channel
            ))),
        }
    }
}

/// Whether `text` can be part of a topic that is published on: segments without wildcards or spaces.
fn is_topic_part(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|segment| {
            !segment.is_empty() && !segment.contains(|c: char| c.is_whitespace() || c.is_control() || "*>".contains(c))
        })
}

#[cfg(test)]
mod tests;
