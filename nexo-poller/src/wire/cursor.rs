use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Written without padding, read with or without.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A cursor on the wire that is not URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not URL-safe base64: {reason}")]
pub struct CursorEncodingError {
    reason: String,
}

/// A cursor as it travels: URL-safe base64, no padding.
#[must_use]
pub fn encode_cursor(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Reads a cursor, padded or not; standard-alphabet `+` and `/` are understood too.
///
/// # Errors
/// [`CursorEncodingError`], without the text itself.
pub fn decode_cursor(text: &str) -> Result<Vec<u8>, CursorEncodingError> {
    let result = if text.contains(['+', '/']) {
        ENGINE.decode(text.replace('+', "-").replace('/', "_"))
    } else {
        ENGINE.decode(text)
    };
    result.map_err(|error| CursorEncodingError {
        reason: match error {
            base64::DecodeError::InvalidByte(at, _) => format!("an illegal character at position {at}"),
            base64::DecodeError::InvalidLength(length) => format!("{length} characters is not a whole number of bytes"),
            _ => "its end is malformed".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_survive_the_wire_with_and_without_padding(bytes: Vec<u8>) {
            let text = encode_cursor(&bytes);
            prop_assert!(!text.contains('='));
            prop_assert_eq!(decode_cursor(&text).unwrap(), bytes.clone());
            let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
            prop_assert_eq!(decode_cursor(&padded).unwrap(), bytes);
        }
    }

    #[test]
    fn a_cursor_that_is_not_base64_is_refused_without_being_quoted() {
        let error = decode_cursor("hunter2!").unwrap_err().to_string();
        assert_eq!(error, "the cursor is not URL-safe base64: an illegal character at position 7");
    }
}
