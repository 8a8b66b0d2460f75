//! The daemon, and the commands that talk to it.

use std::process::ExitCode;

fn main() -> ExitCode {
    nexo_poller::daemon::main()
}
