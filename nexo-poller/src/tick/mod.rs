//! One tick of an author's poller, the same wherever it runs: in the daemon, in a plugin, in a test.
//!
//! Lives here: [`AuthorTick`], which makes a tick's context, holds its publishes against a [`PublishList`], turns a panic into
//! its place and closes the host when the tick is over; [`TickGate`], the hand on a tick that runs; [`watch()`], which keeps its
//! deadline.
//!
//! May not enter: who asks for a tick, and what becomes of its outcome. Imports [`contract`](crate::contract) only.
//!
//! No stability is promised: this is for the runner, the plugin side and the testkit.

mod author;
mod gate;
mod host;
mod panics;
mod publish_list;
#[cfg(test)]
mod tests;
mod watch;

pub use self::author::AuthorTick;
pub use self::gate::TickGate;
pub use self::panics::{Panicked, catch_now, hide_messages, hide_messages_of_ticks};
pub use self::publish_list::PublishList;
pub use self::watch::watch;
