//! `pollers.yaml`: what its keys mean.
//!
//! Lives here: reading the file into [`Settings`] and [`JobEntry`]s, with every problem and its place.
//!
//! May not enter: anything that runs. Whether a kind exists, or accepts its config, is found out by whoever knows the kinds.

mod admin;
mod broker;
mod config_key;
mod include;
mod job;
mod pollers;
mod settings;

pub use self::admin::{AdminSettings, DEFAULT_ADMIN_BIND, TlsFiles};
pub use self::broker::{BrokerSettings, StateSettings};
pub(in crate::daemon) use self::config_key::place_in_config;
pub use self::job::{JobEntry, ScheduleEntry};
pub use self::pollers::{PollersFile, RefusedFile};
pub use self::settings::{PluginPaths, Settings};
pub use super::yaml::{Place, Problem};

#[cfg(test)]
mod tests;
