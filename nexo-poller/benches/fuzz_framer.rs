//! Millions of broken lines through everything that reads the other side's bytes, and one line of 300 MB.
//!
//! ```text
//! cargo bench -p nexo-poller --bench fuzz_framer                      # ten million runs
//! cargo bench -p nexo-poller --bench fuzz_framer -- --runs 1000000    # fewer, or more
//! NEXO_BENCH=short cargo bench -p nexo-poller --bench fuzz_framer     # a hundred thousand
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that cannot measure stops")]

use std::io::Write as _;
use std::time::Instant;

use nexo_poller::broker::stdio::{DEFAULT_MAX_LINE, FrameError, LineFramer};

#[path = "support/lines.rs"]
mod lines;

const TARGET: u64 = 10_000_000;

fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != "--runs").skip(1);
    let short = std::env::var("NEXO_BENCH").is_ok_and(|length| length == "short");
    let default = if short { TARGET / 100 } else { TARGET };
    let runs = args.next().map_or(default, |number| number.parse().unwrap());
    huge_line();
    let started = Instant::now();
    let mut fuzzer = lines::Fuzzer::new(1);
    for _ in 0..runs {
        fuzzer.run();
    }
    let note = format!("no-panic-and-no-good-line-lost-in-{}-s", started.elapsed().as_secs());
    let ratio = runs as f64 / TARGET as f64;
    figure(&format!("stdio.framer_fuzz_runs value={runs} unit=runs limit={TARGET} ratio={ratio:.2} note={note}"));
}

/// A line of 300 MB in chunks of a pipe's size: what the process grows by is the limit of a line, and some.
fn huge_line() {
    const LENGTH: usize = 300 << 20;
    let chunk = vec![b'x'; 64 * 1024];
    let mut framer = LineFramer::default();
    let before = peak_rss_mib();
    for _ in 0..LENGTH / chunk.len() {
        framer.push(&chunk);
        assert!(framer.next_line().is_none());
    }
    framer.push(b"\n{}\n");
    let too_long = FrameError::TooLong { length: LENGTH as u64, limit: DEFAULT_MAX_LINE, object: false };
    assert_eq!(framer.next_line(), Some(Err(too_long)));
    assert_eq!(framer.next_line(), Some(Ok("{}")));
    let (grown, limit) = (peak_rss_mib() - before, 9.0);
    let (ratio, verdict) = (grown / limit, if grown <= limit { "met" } else { "missed" });
    let line = format!("value={grown:.1} unit=MiB limit={limit} ratio={ratio:.2} note={verdict}-line-limit-plus-8-MiB");
    figure(&format!("stdio.huge_line_rss_mib {line}"));
}

/// The most that was ever resident.
fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn figure(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "figure {text}").unwrap();
}
