//! The admin HTTP server.
//!
//! Lives here: who may ask (loopback names, same origin, token), the routes, and how the command line finds the server.
//!
//! May not enter: what a call does; that is asked of the [`Daemon`](super::core::Daemon).

mod address;
mod cursors;
mod events;
mod guard;
mod listing;
mod page;
mod routes;
mod token;

pub(super) use self::address::{ADDRESS_FILE, bind, living_neighbour};
pub(super) use self::cursors::CursorAnswer;
pub(super) use self::listing::ListAnswer;
pub(super) use self::routes::{ReloadAnswer, router};
pub(super) use self::token::{AdminToken, TOKEN_FILE};
