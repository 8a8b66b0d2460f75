//! `pollers.yaml` and the credentials file: what their keys mean.
//!
//! Lives here: reading files into [`Settings`], [`JobEntry`]s and accounts, with every problem and its place.
//!
//! May not enter: anything that runs. Whether a kind exists, or accepts its config, is found out by whoever knows the kinds.

mod admin;
mod allow;
mod broker;
mod config_key;
pub(crate) mod credentials;
mod include;
mod job;
mod jobs;
mod keys;
mod llm_providers;
mod off_runtime;
mod own;
mod plugin_entry;
mod pollers;
pub(crate) mod private_file;
mod resolved;
pub(crate) mod schema;
mod scope;
mod settings;
pub(crate) mod specs;
pub(crate) mod state_folder;
mod yaml;

pub(crate) use self::admin::{AdminSettings, TlsFiles};
pub(crate) use self::broker::BrokerSettings;
pub(crate) use self::config_key::place_in_config;
pub(crate) use self::job::{JobEntry, ScheduleEntry};
pub(crate) use self::off_runtime::{NotRead, off_runtime, within};
pub(crate) use self::plugin_entry::PluginEntry;
pub(crate) use self::pollers::{PollersFile, RefusedFile};
pub(crate) use self::settings::{Settings, TOKEN_FILE};
pub(crate) use self::yaml::{Place, Problem, values_of_files};

#[cfg(test)]
mod include_tests;
#[cfg(test)]
mod tests;
