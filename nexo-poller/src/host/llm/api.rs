use std::fmt;
use std::str::FromStr;

use genai::adapter::AdapterKind;

/// The protocol that a provider speaks. Any server that answers as `OpenAI`'s chat completions do is [`OpenAi`](Self::OpenAi)
/// with a base URL of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LlmApi {
    /// `openai`: chat completions.
    OpenAi,
    /// `openai_responses`: the newer API of the same firm.
    OpenAiResponses,
    /// `anthropic`: messages.
    Anthropic,
    /// `gemini`.
    Gemini,
    /// `ollama`: models on one's own machine.
    Ollama,
    /// `groq`.
    Groq,
    /// `deepseek`.
    DeepSeek,
    /// `xai`.
    Xai,
    /// `mistral`.
    Mistral,
    /// `cohere`.
    Cohere,
    /// `open_router`.
    OpenRouter,
    /// `together`.
    Together,
}

/// Every protocol with the name that configuration uses.
const ALL: [(LlmApi, &str, AdapterKind); 12] = [
    (LlmApi::OpenAi, "openai", AdapterKind::OpenAI),
    (LlmApi::OpenAiResponses, "openai_responses", AdapterKind::OpenAIResp),
    (LlmApi::Anthropic, "anthropic", AdapterKind::Anthropic),
    (LlmApi::Gemini, "gemini", AdapterKind::Gemini),
    (LlmApi::Ollama, "ollama", AdapterKind::Ollama),
    (LlmApi::Groq, "groq", AdapterKind::Groq),
    (LlmApi::DeepSeek, "deepseek", AdapterKind::DeepSeek),
    (LlmApi::Xai, "xai", AdapterKind::Xai),
    (LlmApi::Mistral, "mistral", AdapterKind::Mistral),
    (LlmApi::Cohere, "cohere", AdapterKind::Cohere),
    (LlmApi::OpenRouter, "open_router", AdapterKind::OpenRouter),
    (LlmApi::Together, "together", AdapterKind::Together),
];

impl LlmApi {
    /// The names that [`from_str`](FromStr::from_str) knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().map(|(_, name, _)| name)
    }

    /// Whether a provider of this protocol needs a key unless it runs on one's own machine.
    pub(super) fn needs_key(self) -> bool {
        self != Self::Ollama
    }

    pub(super) fn adapter(self) -> AdapterKind {
        // Each variant stands in the table; a test looks.
        ALL.into_iter().find(|(api, ..)| *api == self).map_or(AdapterKind::OpenAI, |(.., kind)| kind)
    }
}

/// No protocol has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an LLM provider's `api` is one of {}", LlmApi::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownLlmApi;

impl FromStr for LlmApi {
    type Err = UnknownLlmApi;

    fn from_str(text: &str) -> Result<Self, UnknownLlmApi> {
        ALL.into_iter().find(|(_, name, _)| *name == text).map(|(api, ..)| api).ok_or(UnknownLlmApi)
    }
}

impl fmt::Display for LlmApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL.into_iter().find(|(api, ..)| api == self).map_or("openai", |(_, name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_is_found_by_its_own_name() {
        for (api, name, kind) in ALL {
            assert_eq!((name.parse(), api.to_string(), api.adapter()), (Ok(api), name.to_owned(), kind));
        }
        let said = "gpt".parse::<LlmApi>().unwrap_err().to_string();
        assert!(said.contains("openai, openai_responses, anthropic"), "{said}");
    }
}
