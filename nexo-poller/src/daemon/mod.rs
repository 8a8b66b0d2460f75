//! The daemon: `pollers.yaml`, the command line, the admin HTTP server, and the wiring of all other rooms.
//!
//! Lives here: what makes one program of the parts. May not enter: decisions about schedules (runner), processes (router)
//! or messages (broker). This room may import every other one, and no other room imports it.
//!
//! # What is checked when
//!
//! `nexo-poller check` finds everything that can be found without a tick: the file, schedules, kinds, the credentials file,
//! and each job's config, by asking the plugin's own binary (`<binary> validate`, with the config on stdin). Binaries
//! that know no such command are taken at their word. `run` leaves that last step out, because it costs a process per
//! job: a config that its poller refuses pauses the job at its first tick, with the poller's own words as the reason, and
//! a reload with another config lifts the pause.
//!
//! A problem of one job leaves out that job. A problem outside the jobs (a broken file, an unknown setting, credentials
//! that others can read, two plugins with one kind) refuses the start; on a reload, everything goes on as it was.

mod admin;
mod boot;
mod built_in;
mod cli;
mod condition;
mod config_check;
mod console;
mod core;
mod counters;
mod credentials;
mod cursor_view;
mod dry_run;
mod exit;
mod feed;
pub mod file;
mod jobs;
mod llm_providers;
mod logs;
mod many_machines;
mod neighbours;
mod outbound;
mod plugin_report;
mod plugin_set;
mod plugins;
mod private_file;
mod recent;
mod redactor;
mod remote_plugins;
mod schema;
mod service_manager;
mod traces;
mod unheard;
mod yaml;

pub use self::cli::main;
pub use self::exit::Exit;
pub use self::logs::LogFormat;
