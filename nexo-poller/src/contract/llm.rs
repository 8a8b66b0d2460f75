use serde::{Deserialize, Serialize};

/// One request to a language model, by the provider's name in the daemon's configuration.
///
/// ```
/// use nexo_poller::prelude::*;
///
/// let messages = vec![LlmMessage::system("Be brief."), LlmMessage::user("Hello!")];
/// let request = LlmInvokeRequest::new("local", "m-1", messages).max_tokens(100);
/// assert_eq!(request.max_tokens, Some(100));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LlmInvokeRequest {
    /// The provider's name in the daemon's configuration.
    pub provider: String,
    /// The model's id at that provider.
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<LlmMessage>,
    /// Upper bound on the answer's length, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Sampling temperature, where the provider takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LlmMessage {
    /// Who says it.
    pub role: LlmRole,
    /// The text.
    pub content: String,
}

/// Who says a message of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LlmRole {
    /// What the model is to be.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LlmInvokeResponse {
    /// The answer's text.
    pub content: String,
    /// The model that really answered.
    pub model_id: String,
    /// What the call consumed, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<LlmUsage>,
}

/// Tokens that one call consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LlmUsage {
    /// Tokens of the request.
    #[serde(default)]
    pub input_tokens: u32,
    /// Tokens of the answer.
    #[serde(default)]
    pub output_tokens: u32,
}

impl LlmInvokeRequest {
    /// Asks `model` of `provider` to go on with `messages`.
    pub fn new(provider: impl Into<String>, model: impl Into<String>, messages: Vec<LlmMessage>) -> Self {
        Self { provider: provider.into(), model: model.into(), messages, max_tokens: None, temperature: None }
    }

    /// Bounds the answer's length, in tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: impl Into<Option<u32>>) -> Self {
        self.max_tokens = tokens.into();
        self
    }

    /// Sets the sampling temperature.
    #[must_use]
    pub fn temperature(mut self, temperature: impl Into<Option<f32>>) -> Self {
        self.temperature = temperature.into();
        self
    }
}

impl LlmMessage {
    /// A message of `role`.
    pub fn new(role: LlmRole, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }

    /// Says what the model is to be.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(LlmRole::System, content)
    }

    /// Asks the model.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(LlmRole::User, content)
    }

    /// Repeats what the model has said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(LlmRole::Assistant, content)
    }
}

impl LlmInvokeResponse {
    /// `content`, of the model `model_id`.
    pub fn new(content: impl Into<String>, model_id: impl Into<String>) -> Self {
        Self { content: content.into(), model_id: model_id.into(), usage: None }
    }

    /// Says what the call consumed, where that is known.
    #[must_use]
    pub fn usage(mut self, usage: impl Into<Option<LlmUsage>>) -> Self {
        self.usage = usage.into();
        self
    }
}

impl LlmUsage {
    /// So many tokens asked and answered.
    #[must_use]
    pub const fn new(input_tokens: u32, output_tokens: u32) -> Self {
        Self { input_tokens, output_tokens }
    }
}

impl LlmRole {
    /// The role's name in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}
