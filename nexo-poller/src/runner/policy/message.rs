//! What is kept of a failure's words.

use crate::contract::PollerError;

/// The longest message that is kept of a failure, in bytes.
const MAX_MESSAGE: usize = 1000;

/// What is kept of a failure's message.
pub(crate) fn message_of(error: &PollerError) -> String {
    shorten(error.to_string())
}

/// Cuts a message to what is kept, at a character's end.
pub(crate) fn shorten(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}
