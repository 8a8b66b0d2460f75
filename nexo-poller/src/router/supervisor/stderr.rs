use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinHandle;

use super::rate::{RateLimit, Verdict};
use crate::broker::stdio::frame::{FrameError, LineFramer};
use crate::contract::Redact;

/// The longest line of a plugin's log that is kept.
const MAX_LINE: usize = 4096;

/// Lines that are remembered for `show` and for error messages.
const REMEMBERED: usize = 20;

/// Lines that reach the daemon's log in a second.
const LINES_PER_SECOND: u32 = 100;

/// The last lines of a plugin's stderr. Clones are one tail.
#[derive(Debug, Clone, Default)]
pub(in crate::router) struct StderrTail(Arc<Mutex<Tail>>);

/// The lines as they came: most are never looked at, and what hides secrets costs more than reading them.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    redact: Redact,
}

impl StderrTail {
    /// Oldest first.
    pub(in crate::router) fn lines(&self) -> Vec<String> {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.lines.iter().map(|line| tail.redact.line(line)).collect()
    }

    /// The last line, as the end of a sentence.
    pub(in crate::router) fn last_as_clause(&self) -> String {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = tail.lines.back().map(|line| format!("; its last line of stderr: {}", tail.redact.line(line)));
        last.unwrap_or_default()
    }

    fn push(&self, line: String) {
        let lines = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).lines;
        if lines.len() == REMEMBERED {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The task that reads the stderr of a process. It ends with this at the latest: a process that has left the group keeps the pipe
/// open for as long as it likes.
pub(in crate::router) struct StderrReader(JoinHandle<()>);

impl StderrReader {
    pub(in crate::router) fn start(
        stderr: impl AsyncRead + Unpin + Send + 'static,
        plugin: &str,
        tail: &StderrTail,
        redact: &Redact,
    ) -> Self {
        Self(tokio::spawn(drain(stderr, plugin.to_owned(), tail.clone(), redact.clone())))
    }

    /// Waits for the rest of what the process wrote, which has ended; whether that was its end.
    pub(in crate::router) async fn finish(mut self, within: Duration) -> bool {
        tokio::time::timeout(within, &mut self.0).await.is_ok()
    }
}

impl Drop for StderrReader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads a plugin's stderr to its end, whatever it writes: a pipe that nobody empties would stop the plugin. At most a
/// hundred lines a second reach the log; the rest is counted.
async fn drain(mut stderr: impl AsyncRead + Unpin, plugin: String, tail: StderrTail, redact: Redact) {
    tail.0.lock().unwrap_or_else(PoisonError::into_inner).redact = redact.clone();
    let mut framer = LineFramer::new(MAX_LINE);
    let mut limit = RateLimit::new(LINES_PER_SECOND, Duration::from_secs(1));
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let length = match stderr.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        framer.push(&chunk[..length]);
        while let Some(line) = framer.next_line() {
            let line = match &line {
                Ok(text) => (*text).to_owned(),
                Err(FrameError::TooLong { length, .. }) => format!("(a line of {length} bytes)"),
                Err(FrameError::NotUtf8(_)) => "(a line that is not text)".to_owned(),
            };
            report(&plugin, &line, &tail, &redact, &mut limit);
        }
        // A pipe that is never empty would take all of the runtime's thread.
        tokio::task::yield_now().await;
    }
    let rest = String::from_utf8_lossy(framer.rest()).trim().to_owned();
    if !rest.is_empty() {
        report(&plugin, &rest, &tail, &redact, &mut limit);
    }
}

fn report(plugin: &str, line: &str, tail: &StderrTail, redact: &Redact, limit: &mut RateLimit) {
    let verdict = limit.check(Instant::now());
    if let Verdict::Pass { held_back } = verdict {
        if held_back > 0 {
            tracing::warn!(plugin, held_back, "the plugin floods its stderr; lines were left out");
        }
        tracing::info!(plugin, "{}", redact.line(line));
    }
    tail.push(line.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_remembered_redacted_and_bounded() {
        let mut text = String::new();
        for n in 0..1000 {
            text.push_str(&format!("line {n} hunter2\n"));
        }
        text.push_str(&"x".repeat(100_000));
        text.push_str("\nend without a newline");
        let tail = StderrTail::default();
        let redact = Redact::new(|line| line.replace("hunter2", "***"));
        drain(text.as_bytes(), "jira".to_owned(), tail.clone(), redact).await;
        let lines = tail.lines();
        assert_eq!(lines.len(), REMEMBERED);
        assert_eq!(lines[0], "line 982 ***");
        assert_eq!(lines[REMEMBERED - 2..], ["(a line of 100000 bytes)", "end without a newline"]);
    }
}
