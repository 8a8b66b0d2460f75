//! `agent_turn`: one turn of a language model on a schedule, delivered as a message.

use std::fmt;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::contract::{Config, Cursor, Deliver, LlmInvokeRequest, LlmMessage, PollContext, PollerError, TickAck};
use crate::poller;

/// The config of an `agent_turn` job.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnConfig {
    /// Who is asked.
    llm: Model,
    /// What the model is to be, before it is asked.
    #[serde(default)]
    system_prompt: Option<String>,
    /// What it is asked.
    #[serde(deserialize_with = "not_empty")]
    #[schemars(length(min = 1))]
    user_prompt: String,
    /// The language of the answer: `Spanish`, `es`, …
    #[serde(default)]
    language: Option<String>,
    /// Upper bound on the answer's length, in tokens.
    #[serde(default)]
    max_tokens: Option<NonZeroU32>,
    /// Where the answer goes.
    deliver: Deliver,
}

/// Shows no prompt.
impl fmt::Debug for TurnConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnConfig")
            .field("provider", &self.llm.provider)
            .field("model", &self.llm.model)
            .field("deliver", &self.deliver)
            .finish_non_exhaustive()
    }
}

/// A model of a provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Model {
    /// The provider's name in the daemon's credentials file.
    #[serde(deserialize_with = "not_empty")]
    provider: String,
    /// The model's id at that provider.
    #[serde(deserialize_with = "not_empty")]
    model: String,
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(D::Error::custom("it must not be empty")) } else { Ok(text) }
}

/// Asks a language model and delivers what it answers; an empty answer is delivered to nobody.
#[poller(
    kind = "agent_turn",
    publish = ["plugin.outbound.>"],
    max_concurrent_ticks = 8,
    // A model that thinks takes its time; the provider's own timeout is shorter.
    tick_timeout_secs = 300,
    crate = crate,
    main = false
)]
pub async fn agent_turn(
    ctx: &PollContext,
    Config(config): Config<TurnConfig>,
    // How many turns there were: it tells today's message from yesterday's where both have the same words.
    Cursor(turns): Cursor<u64>,
) -> Result<TickAck, PollerError> {
    let language = config.language.as_deref().map(|language| format!("Answer in this language: {language}."));
    let system: Vec<&str> = config.system_prompt.as_deref().into_iter().chain(language.as_deref()).collect();
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(LlmMessage::system(system.join("\n\n")));
    }
    messages.push(LlmMessage::user(config.user_prompt.clone()));
    let request = LlmInvokeRequest::new(config.llm.provider.clone(), config.llm.model.clone(), messages);
    let answer = ctx.host.llm_invoke(request.max_tokens(config.max_tokens.map(NonZeroU32::get))).await?;
    let text = answer.content.trim();
    if !text.is_empty() {
        config.deliver.send(ctx, text).await?;
    }
    Ok(TickAck::with_cursor(&(turns + 1))?.items(1, usize::from(!text.is_empty())))
}
