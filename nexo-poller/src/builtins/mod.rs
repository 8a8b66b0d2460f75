//! Kinds that every daemon has without a plugin, written with `#[poller]` as any other author would.
//!
//! Lives here: [`WebhookPoll`], and the HTTP client behind it that reaches public addresses only.
//!
//! May not enter: the daemon, its files, its brokers. A built-in kind sees what every poller sees: this room imports
//! [`contract`](crate::contract) alone.

mod address;
mod fetch;
mod secrets;
pub mod webhook_poll;

#[cfg(feature = "daemon")]
pub(crate) use self::fetch::choose_cryptography;
#[doc(inline)]
pub use self::webhook_poll::WebhookPoll;
