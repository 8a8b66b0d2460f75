//! What a poller's binary does: [`PollerHandler`] serves one or several kinds to a daemon, and has the commands for trying them out.
//!
//! # The commands of a poller's binary
//!
//! Every binary that `#[poller]` makes has them; `cargo run -- once` is the quickest way to see a poller work.
//!
//! | command | does |
//! | --- | --- |
//! | *(none)* | serves the daemon that started it, over stdin and stdout; with `NEXO_BROKER_URL=nats://…` (feature
//! `nats`) every daemon on that server, unless whoever started it says `initialize` on stdin; on a terminal: a short help |
//! | `once` | runs one tick and shows what it published, logged and counted, and the new cursor |
//! | `dev` | runs ticks again and again, and keeps the cursor in a file |
//! | `validate [FILE]` | checks a job's config, without a tick; with `--json` it prints `{"valid":false,"errors":[{"path":"deliver.to","message":"…"}]}`, the path where one is known |
//! | `schema` | prints the JSON Schema of the config |
//! | `--print-manifest` | prints `nexo-plugin.toml` |
//!
//! `once` and `dev` need no daemon: publishes are shown, every channel has a made-up account `console`, and the
//! manifest's `publish` list is enforced as a daemon would.
//!
//! ```sh
//! cargo run -- once --config job.toml                 # a file (JSON or TOML), `-` for stdin, or JSON itself
//! cargo run -- once --config '{"project": "NEXO"}' --cursor '{"updated_after": null}' --json
//! cargo run -- dev --config job.toml --every 10s      # the cursor stays in .nexo-dev/<kind>.cursor
//! cargo run -- validate job.toml
//! ```
//!
//! | exit code | means |
//! | --- | --- |
//! | 0 | it worked |
//! | 1 | anything that is none of the below: a file that cannot be read or written |
//! | 2 | the command line is wrong |
//! | 3 | the config is wrong: the daemon would pause the job until the operator fixes it |
//! | 4 | permanent: the daemon would pause the job |
//! | 5 | transient: the daemon would retry |
//!
//! # What is kept from the author's code
//!
//! The real stdout carries the protocol, so it is set aside first: `println!` and child processes that write to stdout
//! reach stderr, which the daemon keeps as the plugin's log. A panic becomes an error reply that names the place, not
//! the message. Ticks run on threads of their own, so one that blocks holds up neither the protocol nor the shutdown.

mod command;
mod descriptors;
#[cfg(feature = "nats")]
mod either;
mod ephemeral;
mod handler;
mod host;
#[cfg(feature = "nats")]
mod nats;
mod notice;
mod orphans;
mod running_jobs;
mod runtimes;
mod serve;
mod stdio;
mod ticks;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use crate::manifest::DeclaredPoller;

pub use self::handler::PollerHandler;
pub use self::host::{BrokerPollerHost, HostTimeouts};
pub use self::serve::TickServer;
pub use self::ticks::{TickGrace, TickRunner};

/// The whole of a generated `main`.
pub fn main_of<P: DeclaredPoller>(poller: P) -> ExitCode {
    PollerHandler::new().with(poller).main()
}
