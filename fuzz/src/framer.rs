use nexo_poller::unstable::{FrameError, LineFramer};

use crate::frames::read;
use crate::lines::lines;

/// What is sent after every input: whatever came before, it must be read.
const SENTINEL: &str = r#"{"jsonrpc":"2.0","id":77,"result":{}}"#;

/// Short, so that lines which are too long come up.
const LIMIT: usize = 600;

/// Bytes of the other side in chunks of any size: no line is too long or holds another one, and a good line after them is found.
pub(crate) fn framer(input: &[u8]) {
    let mut bytes = lines(input);
    bytes.push(b'\n');
    bytes.extend_from_slice(SENTINEL.as_bytes());
    bytes.push(b'\n');
    let mut framer = LineFramer::new(LIMIT);
    let mut sentinel_read = false;
    let mut rest = bytes.as_slice();
    // From its end: the beginning decides what is sent.
    let mut sizes = input.iter().rev().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |byte| usize::from(*byte) + 1);
        let (chunk, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        framer.push(chunk);
        while let Some(line) = framer.next_line() {
            sentinel_read = matches!(line, Ok(SENTINEL));
            match line {
                Ok(line) => {
                    assert!(line.len() <= LIMIT && !line.contains('\n'));
                    read(line);
                }
                Err(FrameError::TooLong { length, limit, .. }) => assert!(length > limit as u64),
                Err(_) => {}
            }
        }
    }
    assert!(sentinel_read && framer.rest().is_empty(), "a good line was lost after {bytes:?}");
}
