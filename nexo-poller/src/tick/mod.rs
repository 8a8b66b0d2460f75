//! One tick of an author's poller, the same wherever it runs: in the daemon, in a plugin, in a test.
//!
//! [`AuthorTick`] makes a tick's context, holds its publishes against a [`PublishList`], reports a panic by its place, and closes the host when the tick is
//! over. [`TickGate`] stops a tick that runs; [`watch()`] keeps its deadline.

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
