use nexo_poller::wire::{decode_cursor, encode_cursor};

/// A cursor as it travels: what is read is what is written again.
pub(crate) fn cursor(input: &[u8]) {
    if let Ok(bytes) = decode_cursor(&String::from_utf8_lossy(input)) {
        assert_eq!(decode_cursor(&encode_cursor(&bytes)).as_ref(), Ok(&bytes));
    }
    assert_eq!(decode_cursor(&encode_cursor(input)).as_deref(), Ok(input));
}
