//! The daemon: `pollers.yaml`, the command line, the admin HTTP server, and the wiring of the library's rooms.
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

mod api;
mod boot;
mod cli;
mod cluster;
mod config;
mod core;
mod page;
mod plugins;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
