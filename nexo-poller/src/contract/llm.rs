use serde::{Deserialize, Serialize};

/// One request to a language model, by the provider's name in the daemon's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
pub struct LlmMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct LlmUsage {
    /// Tokens of the request.
    #[serde(default)]
    pub input_tokens: u32,
    /// Tokens of the answer.
    #[serde(default)]
    pub output_tokens: u32,
}
