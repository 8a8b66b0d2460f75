//! What a daemon offers to a tick: the host, and the services behind it.
//!
//! Lives here: [`InProcessHost`], made for each tick, and the traits of what it needs ([`CredentialResolver`],
//! [`MetricSink`], [`LlmProvider`]).
//!
//! May not enter: schedules, processes, files. Imports [`broker`](crate::broker), [`wire`](crate::wire) and
//! [`contract`](crate::contract).

mod credentials;
mod in_process;
mod services;

pub use self::credentials::{CONSOLE_CHANNEL, CredentialResolver, StaticCredentials};
pub use self::in_process::{InProcessHost, Tick};
pub use self::services::{HostServices, LlmProvider, MetricSink};
