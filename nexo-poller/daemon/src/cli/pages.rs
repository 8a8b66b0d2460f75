use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Args;
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;

/// Prints what `shell` completes the command line with.
pub(super) fn completions(shell: Shell) -> Exit {
    let mut command = Args::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "nexo-poller", &mut script);
    line_to_stdout(String::from_utf8_lossy(&script).trim_end());
    Exit::Ok
}

/// Writes a manual page for the program and one for each command into `dir`.
pub(super) fn manual(dir: &Path) -> Exit {
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Args::command(), dir));
    match written {
        Ok(()) => {
            line_to_stdout(&format!("the manual is in {0}: read it with `man -l {0}/nexo-poller.1`", dir.display()));
            Exit::Ok
        }
        Err(error) => crate::cli::fail(&format!("the manual cannot be written to {}: {error}", dir.display())),
    }
}
