//! Kinds that every daemon has without a plugin, written with `#[poller]` as any other author would.
//!
//! Lives here: [`WebhookPoll`] and [`AgentTurn`], and the HTTP client behind it that reaches public addresses only.
//!
//! May not enter: the daemon, its files, its brokers. A built-in kind sees what every poller sees: this room imports
//! [`contract`](crate::contract) alone, and what all HTTP clients of the process share.

mod address;
pub mod agent_turn;
mod fetch;
mod secrets;
pub mod webhook_poll;

#[doc(inline)]
pub use self::agent_turn::AgentTurn;
#[doc(inline)]
pub use self::webhook_poll::WebhookPoll;
