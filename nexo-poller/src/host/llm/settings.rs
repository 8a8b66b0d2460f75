use std::fmt;
use std::time::Duration;

use genai::resolver::AuthData;

use super::LlmApi;

/// How one provider is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct LlmSettings {
    pub(super) api: LlmApi,
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) timeout: Duration,
    pub(super) tokens_per_job_per_day: Option<u64>,
}

impl LlmSettings {
    /// The protocol's own address, no key, 60 s, no budget.
    #[must_use]
    pub fn new(api: LlmApi) -> Self {
        Self { api, base_url: None, api_key: None, timeout: Duration::from_secs(60), tokens_per_job_per_day: None }
    }

    /// Another address than the protocol's own, up to the part that the protocol adds: `https://llm.example.com/v1/`.
    #[must_use]
    pub fn with_base_url(mut self, url: &str) -> Self {
        // Without the slash the last part of the path would be replaced.
        self.base_url = Some(format!("{}/", url.trim_end_matches('/')));
        self
    }

    /// The key that is sent with each request.
    #[must_use]
    pub fn with_api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// How long an answer may take; a longer one is a transient error.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many tokens, asked and answered, one job may use on a day (UTC). Over it, its calls are transient errors until
    /// midnight. The count starts over when the daemon starts.
    #[must_use]
    pub fn with_tokens_per_job_per_day(mut self, tokens: u64) -> Self {
        self.tokens_per_job_per_day = Some(tokens);
        self
    }

    /// Whether the provider cannot answer without a key, and has none.
    #[must_use]
    pub fn lacks_key(&self) -> bool {
        self.api_key.is_none() && self.base_url.is_none() && self.api.needs_key()
    }

    /// The key, for what must not show it.
    #[cfg(feature = "unstable")]
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.api_key.as_deref()
    }

    pub(super) fn key(&self) -> AuthData {
        // A server on one's own machine wants none, and the header must be something.
        AuthData::from_single(self.api_key.as_deref().unwrap_or("none"))
    }
}

/// Shows no key.
impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("api", &self.api)
            .field("has_key", &self.api_key.is_some())
            .field("timeout", &self.timeout)
            .field("tokens_per_job_per_day", &self.tokens_per_job_per_day)
            .finish_non_exhaustive()
    }
}
