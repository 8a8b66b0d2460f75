use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::frame::{FrameError, LineFramer};

/// After so many bytes everybody else has a turn: a pipe that is never empty would take all of the runtime's thread, and no deadline
/// would be looked at.
const TURN: usize = 64 * 1024;

/// So many lines in a row that there is nothing to do about end a turn, too.
pub(super) const TURN_LINES: u64 = 256;

/// So many lines in a row that there is nothing to do about are noise.
pub(super) const NOISE: u64 = 1000;

/// What a turn of nothing but nonsense costs: some 3 MB of it a second are read, for a few hundredths of a processor.
const NOISE_PAUSE: Duration = Duration::from_millis(20);

/// A child's stdout, line by line.
pub(super) struct Lines<R> {
    reader: R,
    pub(super) framer: LineFramer,
    chunk: Vec<u8>,
    /// Bytes that were read since others had a turn.
    since_turn: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, framer: LineFramer::new(limit), chunk: vec![0; 64 * 1024], since_turn: 0 }
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// Reads once; false at the end. `noise`: whether only nonsense has come for a while; then it is read slowly, which holds back
    /// whoever writes it.
    pub(super) async fn fill(&mut self, noise: bool) -> std::io::Result<bool> {
        if self.since_turn >= TURN {
            self.since_turn = 0;
            if noise { tokio::time::sleep(NOISE_PAUSE).await } else { tokio::task::yield_now().await }
        }
        let length = self.reader.read(&mut self.chunk).await?;
        self.since_turn += length;
        self.framer.push(&self.chunk[..length]);
        Ok(length > 0)
    }
}

/// A line that cannot be read, without the line.
pub(super) fn describe(error: Option<FrameError>) -> String {
    error.map_or_else(|| "a line that is not JSON-RPC".to_owned(), |error| error.to_string())
}
