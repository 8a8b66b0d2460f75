//! What a daemon offers to a tick (feature `router`).
//!
//! [`InProcessHost`] is made for each tick, from the [`HostServices`] that all ticks share: a broker, accounts ([`CredentialResolver`]), counters ([`MetricSink`]),
//! and language models ([`LlmProvider`]; the feature `llm` has a registry of them).

mod credentials;
mod in_process;
#[cfg(feature = "llm")]
mod llm;
mod log_limits;
mod services;

pub use self::credentials::{CONSOLE_CHANNEL, CredentialResolver, StaticCredentials};
pub use self::in_process::InProcessHost;
#[cfg(feature = "llm")]
pub use self::llm::{LlmApi, LlmClientError, LlmRegistry, LlmSettings, UnknownLlmApi};
pub use self::services::{HostServices, LlmProvider, MetricSink};
