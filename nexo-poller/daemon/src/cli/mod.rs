//! The command line.
//!
//! Lives here: arguments, asking a running daemon over its admin API, and printing answers for people and for programs.
//!
//! May not enter: what happens in the daemon.

mod args;
mod backup;
mod check;
mod client;
mod client_error;
mod commands;
mod destination;
mod doctor;
mod events;
mod pages;
mod permissions;
mod print;
mod ready;
mod schema;
mod top;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Args, Command};
use crate::boot;
use crate::core::exit::Exit;
use crate::core::inheritance;
use crate::telemetry::logs::{self, Logging};

/// The whole of the program.
#[must_use]
pub(crate) fn main() -> ExitCode {
    inheritance::keep_descriptors();
    if inheritance::was_guardian() {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let is_daemon = matches!(args.command, Command::Run { job: None });
    let whose = if is_daemon { Logging::OfDaemon } else { Logging::OfCommand };
    let traces = match logs::init(args.log_format, &args.log, whose) {
        Ok(traces) => traces,
        Err(error) => return fail(&error.to_string()).into(),
    };
    let mut runtime = match is_daemon {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    match runtime.enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(async {
                inheritance::hear_ignored_signals();
                inheritance::guard_plugins();
                dispatch(&args).await
            });
            // The last spans, and then what is to be said of them.
            drop(traces);
            runtime.block_on(logs::flushed());
            // What still blocks (a reader of a pipe, say) must not hold up the end.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => fail(&format!("the runtime cannot start: {error}")).into(),
    }
}

async fn dispatch(args: &Args) -> Exit {
    match &args.command {
        Command::Run { job: None } => match boot::run(&args.config).await {
            Ok(()) => Exit::Ok,
            Err(error) => {
                fail(&error.to_string());
                error.exit()
            }
        },
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { dir } => pages::manual(dir),
        Command::Schema => schema::print(&args.config).await,
        Command::Backup { file, force } => backup::back_up(args, file, *force),
        Command::Check => check::check(&args.config, args.json).await,
        Command::NatsPermissions { shared_inbox } => permissions::show(&args.config, *shared_inbox).await,
        Command::Doctor { folder, no_test } => doctor::doctor(folder, !no_test, args.json).await,
        command => match commands::ask(command, args).await {
            Ok(exit) => exit,
            Err(error) => {
                fail(&error.sentence);
                error.exit
            }
        },
    }
}

/// Errors go to stderr even where logging is turned down.
fn fail(sentence: &str) -> Exit {
    logs::say(&format!("nexo-poller: {sentence}"));
    Exit::Failed
}
