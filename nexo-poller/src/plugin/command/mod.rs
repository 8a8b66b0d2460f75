//! The command line of a poller's binary.
//!
//! Lives here: its arguments, the console host that `once` and `dev` run ticks against, and how results are shown.
//!
//! May not enter: how a tick is run (that is [`ticks`](super::ticks)) and how a daemon is served.

mod args;
mod chosen;
mod console;
mod dev;
mod duration;
mod failure;
mod help;
mod input;
mod once;
mod report;
mod service;
mod show;

use std::io::Write as _;
use std::process::ExitCode;

use self::args::Command;
use self::failure::Failure;
use super::{PollerHandler, descriptors};

impl PollerHandler {
    /// Runs the plugin's command line on the process's own arguments; the value of `fn main`. See the
    /// [module](crate::plugin) for the commands.
    #[must_use]
    pub fn main(self) -> ExitCode {
        match run(&self) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                if let Some(message) = failure.message() {
                    // Without a stderr the exit code still tells.
                    let _ = writeln!(std::io::stderr(), "{message}");
                }
                failure.exit_code()
            }
        }
    }
}

fn run(handler: &PollerHandler) -> Result<(), Failure> {
    let out = descriptors::set_stdout_aside()
        .map_err(|error| Failure::other(format!("stdout cannot be set aside: {error}")))?;
    match args::parse(lexopt::Parser::from_env())? {
        Command::Serve => service::serve(handler, out),
        Command::Once(tick) => once::run(handler, &tick, out),
        Command::Dev(dev) => dev::run(handler, &dev, out),
        Command::Validate { kind, config, json } => {
            show::validate(handler, kind.as_deref(), config.as_deref(), json, out)
        }
        Command::Schema { kind } => show::schema(handler, kind.as_deref(), out),
        Command::PrintManifest => show::manifest(handler, out),
        Command::Help => show::help(handler, out),
        Command::Version => show::version(handler, out),
    }
}
