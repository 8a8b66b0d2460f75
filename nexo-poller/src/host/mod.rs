//! What a daemon offers to a tick: the host, and the services behind it.
//!
//! Lives here: [`InProcessHost`], made for each tick, the traits of what it needs ([`CredentialResolver`], [`MetricSink`],
//! [`LlmProvider`]), and with the feature `llm` a registry of language models.
//!
//! May not enter: schedules, processes, files. Imports [`broker`](crate::broker), [`wire`](crate::wire) and
//! [`contract`](crate::contract).

mod credentials;
mod in_process;
#[cfg(feature = "llm")]
mod llm;
mod services;

pub use self::credentials::{CONSOLE_CHANNEL, CredentialResolver, StaticCredentials};
pub use self::in_process::InProcessHost;
#[cfg(feature = "llm")]
pub use self::llm::{LlmApi, LlmClientError, LlmRegistry, LlmSettings, UnknownLlmApi};
pub use self::services::{HostServices, LlmProvider, MetricSink};
