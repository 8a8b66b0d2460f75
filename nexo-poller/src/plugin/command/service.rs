use std::fs::File;

use super::failure::Failure;
use super::show;
use crate::plugin::runtimes::Runtimes;
use crate::plugin::{PollerHandler, TickGrace, descriptors, ephemeral, panics};

/// What a binary without arguments does: serve whoever started it, or tell a person how it is used.
pub(super) fn serve(handler: &PollerHandler, out: File) -> Result<(), Failure> {
    let asked = |name: &str| std::env::var(name).unwrap_or_default();
    if asked("NEXO_POLLER_EPHEMERAL") == "1" {
        return one_tick(handler, out);
    }
    show::help(handler, out)
}

/// One tick, for a daemon that starts a process for each.
fn one_tick(handler: &PollerHandler, out: File) -> Result<(), Failure> {
    let manifest = handler.manifest()?;
    let input = set_stdin_aside()?;
    panics::hide_messages();
    let runtimes = Runtimes::start(1).map_err(|error| no_threads(&error))?;
    let ticks = handler.ticks(runtimes.authors(), TickGrace::default());
    runtimes
        .run(ephemeral::one_tick(input, out, ticks, &manifest))
        .map_err(|error| Failure::other(format!("plugin `{}`: {error}", manifest.plugin.id)))
}

fn set_stdin_aside() -> Result<File, Failure> {
    descriptors::set_stdin_aside().map_err(|error| Failure::other(format!("stdin cannot be set aside: {error}")))
}

fn no_threads(error: &std::io::Error) -> Failure {
    Failure::other(format!("threads cannot be started: {error}"))
}
