use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::frame::{FrameError, LineFramer};

/// A child's stdout, line by line.
pub(super) struct Lines<R> {
    reader: R,
    pub(super) framer: LineFramer,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, framer: LineFramer::new(limit), chunk: vec![0; 64 * 1024] }
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// Reads once; false at the end.
    pub(super) async fn fill(&mut self) -> std::io::Result<bool> {
        let length = self.reader.read(&mut self.chunk).await?;
        self.framer.push(&self.chunk[..length]);
        Ok(length > 0)
    }
}

/// A line that cannot be read, without the line.
pub(super) fn describe(error: Option<FrameError>) -> String {
    error.map_or_else(|| "a line that is not JSON-RPC".to_owned(), |error| error.to_string())
}
