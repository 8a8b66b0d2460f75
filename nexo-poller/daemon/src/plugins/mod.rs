//! Plugins as the daemon sees them.
//!
//! Lives here: finding them, starting and replacing them, asking their binaries about configs, and how each of them is.
//!
//! May not enter: the protocol and the processes themselves; those are the library's router.

pub(crate) mod built_in;
pub(crate) mod config_check;
pub(crate) mod dry_runner;
pub(crate) mod homes;
mod offer;
pub(crate) mod remote;
pub(crate) mod report;
pub(crate) mod running;
pub(crate) mod schema;
pub(crate) mod set;
