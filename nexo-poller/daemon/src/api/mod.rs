//! The admin HTTP server.
//!
//! Lives here: who may ask (own names, same origin, token), connections and TLS, the routes, and how the command line finds the server.
//!
//! May not enter: what a call does; that is asked of the [`Daemon`](crate::core::daemon::Daemon).

mod access;
mod address;
mod answer_headers;
mod call;
mod caller;
mod cursors;
mod events;
mod greeting;
mod guard;
mod health;
mod hello;
mod jobs;
mod listeners;
mod listing;
mod places;
mod refusal;
mod remote_access;
mod routes;
mod server;
mod token;
mod watched;

pub(crate) use self::address::{ADDRESS_FILE, announce};
pub(crate) use self::cursors::CursorAnswer;
pub(crate) use self::greeting::{Greeting, GreetingError, PATIENCE};
pub(crate) use self::jobs::{Firings, ReloadAnswer};
pub(crate) use self::listeners::{Listeners, ListenersError};
pub(crate) use self::listing::ListAnswer;
pub(crate) use self::remote_access::{RemoteAccess, TOKEN_VARIABLE, Unprepared};
pub(crate) use self::token::TOKEN_FILE;
