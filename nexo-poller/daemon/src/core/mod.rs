//! The daemon while it runs: what operators and signals ask of it.
//!
//! Lives here: the [`Daemon`](daemon::Daemon), reading and applying its configuration, its health, dry runs, and the broker that
//! ticks publish to.
//!
//! May not enter: HTTP, arguments, pages. Whoever asks (api, cli, page) imports this room, and it imports none of them.

pub(crate) mod certificate;
pub(crate) mod console;
pub(crate) mod cursor_view;
pub(crate) mod daemon;
pub(crate) mod dry_run;
pub(crate) mod exit;
pub(crate) mod health;
pub(crate) mod inheritance;
pub(crate) mod loaded_config;
pub(crate) mod outbound;
pub(crate) mod reload;
mod remedy;
pub(crate) mod service_manager;
pub(crate) mod state_file;
pub(crate) mod terminal;
