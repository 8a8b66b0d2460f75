//! The admin HTTP server.
//!
//! Lives here: who may ask (own names, same origin, token), connections and TLS, the routes, and how the command line finds the server.
//!
//! May not enter: what a call does; that is asked of the [`Daemon`](super::core::Daemon).

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
mod page;
mod routes;
mod server;
mod token;

pub(super) use self::address::ADDRESS_FILE;
pub(super) use self::cursors::CursorAnswer;
pub(super) use self::doors::Doors;
pub(super) use self::jobs::{Firings, ReloadAnswer};
pub(super) use self::listing::ListAnswer;
pub(super) use self::outside::{Certificate, Outside, TOKEN_VARIABLE, Unprepared};
pub(super) use self::token::TOKEN_FILE;
