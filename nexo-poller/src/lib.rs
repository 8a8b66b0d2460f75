//! Write a scheduled source connector as one async function; run thousands of them.
//!
//! A poller looks at a source on a schedule and publishes what is new. Its author writes the looking:
//!
//! ```
//! use nexo_poller::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct HelloConfig {
//!     deliver: Deliver,
//! }
//!
//! /// Greets, and counts.
//! #[poller(kind = "hello", publish = ["plugin.outbound.>"], main = false)]
//! async fn hello(
//!     ctx: &PollContext,
//!     Config(config): Config<HelloConfig>,
//!     Cursor(count): Cursor<u32>,
//! ) -> Result<TickAck, PollerError> {
//!     config.deliver.send(ctx, &format!("hello, number {}", count + 1)).await?;
//!     Ok(TickAck::with_cursor(&(count + 1))?.items(1, 1))
//! }
//! ```
//!
//! Schedule, lease, retry, breaker, cursor and metrics are the runner's. The runner is a dumb scheduler: it knows nothing
//! of channels, credentials, topics or models. A poller reaches the world through one trait, [`PollerHost`].
//!
//! # Where to look
//!
//! | you want to | look at |
//! | --- | --- |
//! | write a poller | [`poller`], [`prelude`], [`contract`] |
//! | know what its binary can do | [`plugin`] |
//! | test it | the crate `nexo-poller-testkit` |
//! | run pollers | the program `nexo-poller` of the crate `nexo-poller-daemon` |
//! | run them inside a daemon of your own | the `runner` module (feature `runner`) |
//! | speak the protocol from elsewhere | [`wire`], [`manifest`], [`broker`] |
//!
//! # Features
//!
//! The default features are the author's side only: contract, macro, plugin side, stdio.
//!
//! | feature | adds |
//! | --- | --- |
//! | `nats` | the broker of many machines: an existing NATS server |
//! | `runner` | the scheduler, with state in memory |
//! | `sqlite` | job state in one SQLite file; needs `runner` |
//! | `jetstream` | job state in a bucket of JetStream, shared by daemons on many machines; needs `runner` and `nats` |
//! | `router` | plugins as supervised subprocesses, and the host that answers them |
//! | `llm` | language models by name, for `llm_invoke`; needs `router` |
//! | `builtins` | `webhook_poll` and `agent_turn`, kinds that need no plugin |
//! | `unstable` | what our daemon and testkit need of the inside; it may change with any release |
//!
//! # The rooms
//!
//! ```text
//! contract   Poller, PollContext, TickAck, PollerHost, errors, extractors     imports nothing of ours
//! manifest   nexo-plugin.toml: types, validation, from a declaration          contract
//! tick       one tick: context, panic, deadline, publish list, end             contract
//! wire       Event and Message, tick and call bodies, topics                  contract
//! broker     publish, subscribe, request: in-process, stdio, NATS             wire, manifest
//! plugin     the subprocess side: serve, once, dev, validate, schema          broker, wire, manifest, tick
//! store      job state: memory, SQLite, JetStream                             contract
//! runner     schedule, policy, engine, telemetry                              store, tick, contract
//! host       what the daemon offers to a tick                                 broker, wire
//! router     finding, supervising and asking plugins                          broker, wire, manifest
//! builtins   kinds that every daemon has                                      contract
//! ```
//!
//! A test holds the source to these arrows.
//!
//! [`PollerHost`]: contract::PollerHost
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod broker;
#[cfg(feature = "builtins")]
pub mod builtins;
pub mod contract;
#[cfg(feature = "router")]
pub mod host;
pub mod manifest;
pub mod plugin;
pub mod prelude;
mod private;
#[cfg(feature = "router")]
pub mod router;
#[cfg(feature = "runner")]
pub mod runner;
#[cfg(feature = "runner")]
pub mod store;
#[cfg_attr(
    not(feature = "unstable"),
    expect(dead_code, unreachable_pub, unused_imports, reason = "parts are for our daemon and testkit alone")
)]
mod tick;
#[cfg(any(feature = "builtins", feature = "llm"))]
#[cfg_attr(not(feature = "unstable"), expect(unreachable_pub, reason = "public for our daemon alone"))]
mod tls;
#[cfg(feature = "unstable")]
pub mod unstable;
pub mod wire;

pub use nexo_poller_macros::poller;

/// What `#[poller]` expands to. Not public API: it changes with the macro, which is pinned to this exact version.
#[doc(hidden)]
pub mod __private {
    pub use schemars::Schema;
    pub use serde_json::Value;

    pub use crate::contract::{FromTick, PollContext, Poller, PollerError, TickAck};
    pub use crate::manifest::{Declaration, DeclaredPoller, Lifecycle};
    pub use crate::package;
    pub use crate::plugin::main_of as main;
    pub use crate::private::{TickFuture, TickOutcome, all_of};
}
