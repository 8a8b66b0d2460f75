//! The repository's own commands, in Rust so that nothing but Rust is needed: `cargo xtask help`.

mod browser;
mod commands;
mod debian;
mod deny;
mod end_to_end;
mod features;
mod fuzz;
mod generator;
mod guide;
mod msrv;
mod nats_server;
mod quickstart;
mod run;
mod scratch;
mod semver;
mod service;
mod templates;
mod tests;

use std::io::Write as _;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask quickstart [--in FOLDER]   build the example poller and the daemon, and run both
cargo xtask test [CARGO-TEST-ARGS]     build every binary, obtain what tests need, run all tests
cargo xtask obtain                     what tests need and cargo does not bring: nats-server
cargo xtask fuzz TARGET [OPTIONS]      cron, cursor, framer, frames, manifest, template or yaml; -runs=N, -max_total_time=SECONDS
cargo xtask check msrv                 no dependency asks for a newer Rust than the workspace promises
cargo xtask check deny                 licences, sources and bans of every dependency, and advisories where they can be fetched
cargo xtask check features             each feature compiles alone
cargo xtask check quickstart           the quickstart does what the README says it does
cargo xtask check commands             every command that a README or guide shows does what it says
cargo xtask check page                 the dashboard in a real browser, obtained where it is missing
cargo xtask check service              the systemd unit and the alert rules, as systemd and Prometheus read them
cargo xtask check templates            generated pollers build, lint, test and run, with several answers
cargo xtask check publish              the same against our packed crates alone
cargo xtask check semver [REVISION]    the versions fit what has changed since the last release
";

/// What a command ends with: nothing, or a sentence on what went wrong.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["quickstart"] => quickstart::run(None),
        ["quickstart", "--in", folder] => quickstart::run(Some(folder.as_ref())),
        ["test", rest @ ..] => tests::run(rest),
        ["obtain"] => nats_server::obtain(),
        ["fuzz", target, options @ ..] => fuzz::run(target, options),
        ["check", "msrv"] => msrv::check(),
        ["check", "deny"] => deny::check(),
        ["check", "features"] => features::check(),
        ["check", "quickstart"] => end_to_end::check(),
        ["check", "commands"] => commands::check(),
        ["check", "page"] => browser::check(),
        ["check", "service"] => service::check(),
        ["check", "templates"] => templates::check(),
        ["check", "semver"] => semver::check(None),
        ["check", "semver", since] => semver::check(Some(since)),
        ["check", "publish"] => templates::check_publish(),
        [] | ["help" | "--help" | "-h"] => say(HELP),
        other => Err(format!("`cargo xtask {}` is not a command; there are:\n{HELP}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to stdout.
fn say(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()).map_err(|error| format!("stdout: {error}"))
}
