//! Kinds that every daemon has without a plugin (feature `builtins`), written with `#[poller]` as by any other author.
//!
//! [`WebhookPoll`] announces the new items of a list that any HTTP API returns; it connects to public addresses only, unless the job allows others.
//! [`AgentTurn`] delivers what a language model answers to a fixed prompt, on a schedule.

mod address;
pub mod agent_turn;
mod fetch;
mod items;
mod secrets;
pub mod webhook_poll;

#[doc(inline)]
pub use self::agent_turn::AgentTurn;
#[doc(inline)]
pub use self::webhook_poll::WebhookPoll;
