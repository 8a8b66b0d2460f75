use std::fs::File;
use std::io::IsTerminal as _;

use super::failure::Failure;
use super::show;
use crate::plugin::runtimes::Runtimes;
use crate::plugin::ticks::ServedKind;
use crate::plugin::{PollerHandler, TickGrace, descriptors, ephemeral, stdio};
use crate::tick::hide_messages;

/// Without the address, which may hold a password.
const WITHOUT_NATS: &str = "NEXO_BROKER_URL asks for NATS, which this binary was built without: build it with nexo-poller's feature `nats`, \
     or unset the variable to be served over stdin and stdout";

/// What a binary without arguments does: serve whoever started it, or tell a person how it is used.
pub(super) fn serve(handler: &PollerHandler, out: File) -> Result<(), Failure> {
    let asked = |name: &str| std::env::var(name).unwrap_or_default();
    let ephemeral = asked("NEXO_POLLER_EPHEMERAL") == "1";
    let url = asked("NEXO_BROKER_URL");
    let over_nats = !ephemeral && (url.starts_with("nats://") || url.starts_with("tls://"));
    if over_nats {
        #[cfg(feature = "nats")]
        return serve_over_nats(handler, &url, out);
        // Some hosts set the variable and speak through stdin all the same.
        #[cfg(not(feature = "nats"))]
        if !descriptors::stdin_is_a_pipe() {
            return Err(Failure::usage(WITHOUT_NATS));
        }
        #[cfg(not(feature = "nats"))]
        crate::plugin::notice::warn(WITHOUT_NATS);
    }
    if !ephemeral && std::io::stdin().is_terminal() {
        return show::help(handler, out);
    }
    let manifest = handler.manifest()?;
    let input = descriptors::set_stdin_aside()
        .map_err(|error| Failure::other(format!("stdin cannot be set aside: {error}")))?;
    hide_messages();
    // An ephemeral process runs one tick, and its life is what that tick costs: no thread more than it needs.
    let slots = if ephemeral { 1 } else { handler.kinds().iter().map(ServedKind::max_concurrent_ticks).sum() };
    let runtimes =
        Runtimes::start(slots).map_err(|error| Failure::other(format!("threads cannot be started: {error}")))?;
    let ticks = handler.ticks(runtimes.authors(), TickGrace::default());
    let served = if ephemeral {
        let id = manifest.plugin.id.clone();
        let tick = runtimes.run(ephemeral::one_tick(input, out, ticks, &manifest));
        tick.map_err(|error| format!("plugin `{id}`: {error}"))
    } else {
        runtimes.run(stdio::serve(input, out, ticks, manifest))
    };
    served.map_err(|why| Failure::other(if over_nats { format!("{why}; {WITHOUT_NATS}") } else { why }))
}

/// Serves every daemon on the NATS server at `url` until the process is told to end.
#[cfg(feature = "nats")]
fn serve_over_nats(handler: &PollerHandler, url: &str, out: File) -> Result<(), Failure> {
    let manifest = handler.manifest()?;
    hide_messages();
    let slots = handler.kinds().iter().map(ServedKind::max_concurrent_ticks).sum();
    let runtimes =
        Runtimes::start(slots).map_err(|error| Failure::other(format!("threads cannot be started: {error}")))?;
    let input = descriptors::stdin_is_a_pipe()
        .then(descriptors::set_stdin_aside)
        .transpose()
        .map_err(|error| Failure::other(format!("stdin cannot be set aside: {error}")))?;
    let authors = runtimes.authors();
    let ticks = || handler.ticks(authors.clone(), TickGrace::default());
    runtimes.run(crate::plugin::either::serve(url, input, out, ticks, manifest)).map_err(Failure::other)
}
