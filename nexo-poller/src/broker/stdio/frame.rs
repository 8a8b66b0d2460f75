use std::str::Utf8Error;

/// The longest line that is accepted, without its newline: 1 MiB.
pub const DEFAULT_MAX_LINE: usize = 1024 * 1024;

/// Cuts a stream of bytes into lines, without I/O: [`push`](Self::push) what was read, then take
/// [`next_line`](Self::next_line) until it is `None`.
///
/// Memory is bounded by the limit plus one pushed chunk: a line over the limit is thrown away as it arrives, reported
/// once its end has come, and the next line is read as usual.
#[derive(Debug)]
pub struct LineFramer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were handed out already.
    taken: usize,
    /// Bytes of `buffer` that are known to hold no newline.
    scanned: usize,
    limit: usize,
    /// The oversized line that is being thrown away, while in one.
    skipped: Option<Skipped>,
}

#[derive(Debug, Clone, Copy)]
struct Skipped {
    bytes: u64,
    object: bool,
}

/// A line that cannot be a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Over the limit.
    #[error("a line of {length} bytes is over the limit of {limit} bytes")]
    TooLong {
        /// The line's length.
        length: u64,
        /// The limit.
        limit: usize,
        /// Whether it began like an object: a frame, not somebody's output.
        object: bool,
    },
    /// Not text.
    #[error("a line is not UTF-8: {0}")]
    NotUtf8(Utf8Error),
}

impl Default for LineFramer {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_LINE)
    }
}

impl LineFramer {
    /// A framer that accepts lines of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), taken: 0, scanned: 0, limit, skipped: None }
    }

    /// Adds what was read.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if let Some(skipped) = &mut self.skipped
            && self.taken == self.buffer.len()
        {
            // Inside an oversized line nothing is kept until its newline comes.
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            skipped.bytes += end as u64;
            bytes = &bytes[end..];
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.scanned -= self.taken;
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its newline (and without a carriage return before it). Empty lines are skipped.
    pub fn next_line(&mut self) -> Option<Result<&str, FrameError>> {
        loop {
            let Some(length) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') else {
                self.scanned = self.buffer.len();
                self.drop_oversized_tail();
                return None;
            };
            let start = self.taken;
            let end = self.scanned + length;
            self.taken = end + 1;
            self.scanned = end + 1;
            if let Some(Skipped { bytes, object }) = self.skipped.take() {
                let length = bytes + (end - start) as u64;
                return Some(Err(FrameError::TooLong { length, limit: self.limit, object }));
            }
            if end - start > self.limit {
                let object = self.buffer[start] == b'{';
                return Some(Err(FrameError::TooLong { length: (end - start) as u64, limit: self.limit, object }));
            }
            let line = self.buffer[start..end].strip_suffix(b"\r").unwrap_or(&self.buffer[start..end]);
            if !line.is_empty() {
                // Looked up again: the borrow above would otherwise outlive the loop.
                let end = start + line.len();
                return Some(std::str::from_utf8(&self.buffer[start..end]).map_err(FrameError::NotUtf8));
            }
        }
    }

    /// What stands after the last newline, where the stream has ended.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    fn drop_oversized_tail(&mut self) {
        let pending = self.buffer.len() - self.taken;
        if self.skipped.is_some() || pending > self.limit {
            let begun = self.skipped.unwrap_or_else(|| Skipped {
                bytes: 0,
                object: self.buffer.get(self.taken).is_some_and(|first| *first == b'{'),
            });
            self.skipped = Some(Skipped { bytes: begun.bytes + pending as u64, ..begun });
            // A buffer that one huge chunk has blown up goes back as well.
            self.buffer = Vec::new();
            self.taken = 0;
            self.scanned = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What framing means, on the whole input at once.
    fn oracle(input: &[u8], limit: usize) -> Vec<Result<String, &'static str>> {
        let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        lines.pop();
        lines
            .into_iter()
            .filter_map(|raw| {
                if raw.len() > limit {
                    return Some(Err("too long"));
                }
                let line = raw.strip_suffix(b"\r").unwrap_or(raw);
                let text = || String::from_utf8(line.to_vec()).map_err(|_| "not utf-8");
                (!line.is_empty()).then(text)
            })
            .collect()
    }

    fn framed(chunks: &[&[u8]], limit: usize) -> Vec<Result<String, &'static str>> {
        let mut framer = LineFramer::new(limit);
        let mut lines = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(line) = framer.next_line() {
                lines.push(match line {
                    Ok(text) => Ok(text.to_owned()),
                    Err(FrameError::TooLong { .. }) => Err("too long"),
                    Err(FrameError::NotUtf8(_)) => Err("not utf-8"),
                });
            }
            assert!(framer.buffer.len() <= limit + chunk.len(), "memory is bounded by the limit and a chunk");
        }
        lines
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_give_the_lines_of_the_whole(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0u8), any::<u8>()], 0..200),
            chunk in 1usize..20,
            limit in 0usize..30,
        ) {
            let chunks: Vec<&[u8]> = input.chunks(chunk).collect();
            prop_assert_eq!(framed(&chunks, limit), oracle(&input, limit));
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let fits = format!("{}\nnext\n", "x".repeat(10));
        let over = format!("{}\nnext\n", "x".repeat(11));
        assert_eq!(framed(&[fits.as_bytes()], 10), [Ok("x".repeat(10)), Ok("next".to_owned())]);
        assert_eq!(framed(&[over.as_bytes()], 10), [Err("too long"), Ok("next".to_owned())]);
    }

    #[test]
    fn an_oversized_line_is_reported_with_its_whole_length_and_kept_nowhere() {
        let mut framer = LineFramer::new(1024);
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..100 {
            framer.push(&chunk);
            assert!(framer.next_line().is_none());
            assert!(framer.buffer.capacity() <= 128 * 1024);
        }
        framer.push(b"\n{}\n");
        let length = 100 * 64 * 1024;
        assert_eq!(framer.next_line(), Some(Err(FrameError::TooLong { length, limit: 1024, object: false })));
        assert_eq!(framer.next_line(), Some(Ok("{}")));
        assert_eq!(framer.next_line(), None);
    }
}
