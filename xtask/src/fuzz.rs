//! Fuzzing that is guided by coverage, on the pinned stable compiler: libFuzzer comes with its crate, and the compiler's own passes
//! count what is reached. No nightly, no sanitizer: there is no `unsafe` of ours for one to look at.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::run::{cargo, finish, metadata, output};
use crate::{Outcome, say};

const PACKAGE: &str = "nexo-poller-fuzz";

/// What the compiler adds to each branch and comparison.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs `target` with libFuzzer and its `options` (`-runs=10000000`, `-max_total_time=600`, or a file to run again), from what
/// earlier runs have found.
pub(crate) fn run(target: &str, options: &[&str]) -> Outcome {
    let metadata = metadata(&["--no-deps", "--offline"])?;
    let folder = Path::new(metadata["target_directory"].as_str().ok_or("`cargo metadata` names no target directory")?);
    let program = build(&folder.join("fuzz"))?;
    let (corpus, crashes) = (folder.join("fuzz/corpus").join(target), folder.join("fuzz/crashes").join(target));
    for made in [&corpus, &crashes] {
        fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    let mut fuzz = Command::new(program);
    fuzz.env("NEXO_FUZZ_TARGET", target).args(options).arg("-timeout=10");
    fuzz.arg(format!("-artifact_prefix={}/", crashes.display()));
    // A file is run alone.
    if options.iter().all(|option| option.starts_with('-')) {
        fuzz.arg("-print_final_stats=1").arg(&corpus);
    }
    let began = Instant::now();
    finish(&mut fuzz).map_err(|error| format!("{error}: what broke it is in {}", crashes.display()))?;
    let runs = options.iter().find_map(|option| option.strip_prefix("-runs=")?.parse::<u64>().ok());
    let Some(runs) = runs else { return Ok(()) };
    let (seconds, ratio) = (began.elapsed().as_secs(), runs as f64 / 1e7);
    let room = if target == "framer" { "stdio" } else { "fuzz" };
    let note = format!("guided-by-coverage-and-no-panic-in-{seconds}-s");
    say(&format!("figure {room}.{target}_fuzz_runs value={runs} unit=runs limit=10000000 ratio={ratio:.2} note={note}"))
}

/// The test program, built apart: everything in it counts what is reached.
fn build(folder: &Path) -> Result<String, String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`rustc -vV` names no host")?;
    let mut build = cargo();
    // With a target, the flags are not for build scripts and macros, which run here.
    build.args(["build", "--package", PACKAGE, "--bin", "fuzz", "--profile", "fuzz", "--target", host]);
    build.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(folder);
    build.env("RUSTFLAGS", FLAGS);
    let messages = output(build.stderr(Stdio::inherit()))?;
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = built.filter_map(|message| message["executable"].as_str().map(str::to_owned));
    programs.next().ok_or_else(|| format!("cargo names no program of {PACKAGE}"))
}
