//! The admin HTTP server.
//!
//! Lives here: who may ask (own names, same origin, token), connections and TLS, the routes, and how the command line finds the server.
//!
//! May not enter: what a call does; that is asked of the [`Daemon`](crate::core::daemon::Daemon).

mod address;
mod call;
mod cursors;
mod doors;
mod events;
mod guard;
mod health;
mod jobs;
mod listing;
mod outside;

mod routes;
mod server;
mod token;

pub(crate) use self::address::ADDRESS_FILE;
pub(crate) use self::cursors::CursorAnswer;
pub(crate) use self::doors::Doors;
pub(crate) use self::jobs::{Firings, ReloadAnswer};
pub(crate) use self::listing::ListAnswer;
pub(crate) use self::outside::{Outside, TOKEN_VARIABLE, Unprepared};
pub(crate) use self::token::TOKEN_FILE;
