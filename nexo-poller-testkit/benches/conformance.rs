//! What the conformance suite of an example takes.
//!
//! ```text
//! cargo bench -p nexo-poller-testkit --all-features --bench conformance
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot run has nothing to say")]

use std::process::{Command, Stdio};
use std::time::Instant;

/// Seconds that a person waits for without turning away.
const TARGET: f64 = 10.0;

fn main() {
    // Built first: the suite's own build of the binary finds everything there.
    run(&["build", "-p", "quickstart"]);
    run(&["test", "-p", "quickstart", "--no-run"]);
    let own = seconds(&["test", "-p", "quickstart", "tests::"]);
    let suite = seconds(&["test", "-p", "quickstart", "conformance::"]);
    let note = format!("14-checks-of-the-quickstart-its-own-tests-take-{own:.2}-s");
    let ratio = suite / TARGET;
    println!("figure testkit.conformance_s value={suite:.2} unit=s limit={TARGET:.0} ratio={ratio:.2} note={note}");
}

fn seconds(arguments: &[&str]) -> f64 {
    let began = Instant::now();
    run(arguments);
    began.elapsed().as_secs_f64()
}

fn run(arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).arg("--quiet").stdout(Stdio::null()).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().unwrap().success(), "cargo {arguments:?}");
}
