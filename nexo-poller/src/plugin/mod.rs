//! The subprocess side of a poller.
//!
//! Lives here: [`PollerHandler`], which serves one or several kinds, and everything that a poller's binary does: serve
//! over the stdio bridge, one ephemeral tick, `once`, `dev`, `validate`, `schema`, `--print-manifest`.
//!
//! May not enter: schedules, stores, other processes. Imports [`broker`](crate::broker) and [`manifest`](crate::manifest).

mod handler;

use std::process::ExitCode;

use crate::manifest::DeclaredPoller;

pub use self::handler::PollerHandler;

/// The whole of a generated `main`.
pub fn main_of<P: DeclaredPoller>(poller: P) -> ExitCode {
    PollerHandler::new().with(poller).main()
}
