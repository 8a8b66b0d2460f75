//! What is kept of a failure's words.

use crate::contract::PollerError;
use crate::contract::one_line::cut;

/// The longest message that is kept of a failure, in bytes.
const MAX_MESSAGE: usize = 1000;

/// What is kept of a failure's message.
pub(crate) fn message_of(error: &PollerError) -> String {
    shorten(error.to_string())
}

/// Cuts a message to what is kept, at a character's end.
pub(crate) fn shorten(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(cut(&message, MAX_MESSAGE).len());
        message.push('…');
    }
    message
}
