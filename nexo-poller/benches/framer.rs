//! One line of 300 MB through the framer: `cargo bench -p nexo-poller --bench framer`. Broken lines by the million are
//! `cargo xtask fuzz framer -runs=10000000`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot measure stops")]

use std::io::Write as _;

use nexo_poller::unstable::{DEFAULT_MAX_LINE, FrameError, LineFramer};

/// A line of 300 MB in chunks of a pipe's size: what the process grows by is the limit of a line, and some.
fn main() {
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
