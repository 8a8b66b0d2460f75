use std::ops::Range;

/// Shorter runs of Base64 hold no secret that is looked for.
const SHORTEST_RUN: usize = 8;

/// What a text says to whoever decodes it, and where each byte of that stands in the text.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl View {
    /// Where `found` of the decoded bytes stands in the text.
    pub(super) fn place(&self, found: &Range<usize>) -> Range<usize> {
        let start = self.places.get(found.start).map_or(0, |place| place.start);
        let end = self.places.get(found.end.saturating_sub(1)).map_or(start, |place| place.end);
        start..end
    }

    fn push(&mut self, byte: u8, place: Range<usize>) {
        self.bytes.push(byte);
        self.places.push(place);
    }
}

/// `text` decoded in every way: percent-encoding in any spelling, as addresses and forms have it, and Base64 in either alphabet
/// wherever it begins, since a secret may stand anywhere inside what was encoded (`Authorization: Basic …`). Decoding a line costs
/// the same however many secrets there are; to know each secret in each encoding would not.
pub(super) fn views(text: &str) -> Vec<View> {
    let mut views = Vec::new();
    if text.contains('%') {
        views.push(percent(text.as_bytes(), false));
    }
    if text.contains('+') {
        views.push(percent(text.as_bytes(), true));
    }
    let mut at = 0;
    for run in text.as_bytes().split(|byte| sextet(*byte).is_none()) {
        if run.len() >= SHORTEST_RUN {
            views.extend((0..4).map(|begin| base64(&run[begin..], at + begin)));
        }
        at += run.len() + 1;
    }
    views
}

/// `plus`: a plus is a space, as in forms.
fn percent(text: &[u8], plus: bool) -> View {
    let mut view = View { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len()) };
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let (byte, length) = match (byte, digit(at + 1), digit(at + 2)) {
            // Two digits make no more than a byte.
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or_default(), 3),
            (b'+', ..) if plus => (b' ', 1),
            _ => (byte, 1),
        };
        view.push(byte, at..at + length);
        at += length;
    }
    view
}

/// A run of Base64 that stands at `at`.
fn base64(run: &[u8], at: usize) -> View {
    let length = run.len() * 6 / 8;
    let mut view = View { bytes: Vec::with_capacity(length), places: Vec::with_capacity(length) };
    let (mut bits, mut held) = (0_u32, 0);
    for (index, value) in run.iter().filter_map(|byte| sextet(*byte)).enumerate() {
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held) & 0xff;
            // The character before this one has its first bits.
            view.push(u8::try_from(byte).unwrap_or_default(), at + index - 1..at + index + 1);
        }
    }
    view
}

/// The six bits of a character, in either alphabet.
fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_stands_inside_of_base64_is_seen_and_found_at_its_place(before in ".{0,9}", inside in "[a-z]{6,20}", after in ".{0,9}") {
            let whole = format!("{before}{inside}{after}");
            for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                let text = format!("Basic: {encoded}.");
                let seen = views(&text).into_iter().find_map(|view| {
                    let at = view.bytes.windows(inside.len()).position(|bytes| bytes == inside.as_bytes())?;
                    Some(view.place(&(at..at + inside.len())))
                });
                let place = seen.unwrap();
                // The characters that have bits of it, and no other.
                let expected = 7 + before.len() * 8 / 6..7 + ((before.len() + inside.len()) * 8).div_ceil(6);
                prop_assert_eq!(place, expected);
            }
        }

        #[test]
        fn any_text_has_views_whose_places_are_inside_of_it(text in ".{0,60}") {
            for view in views(&text) {
                prop_assert_eq!(view.bytes.len(), view.places.len());
                prop_assert!(view.places.iter().all(|place| place.start < place.end && place.end <= text.len()));
            }
        }
    }

    #[test]
    fn percent_signs_and_pluses_are_read_in_every_spelling() {
        let seen = |text: &str| -> Vec<String> {
            views(text).into_iter().map(|view| String::from_utf8_lossy(&view.bytes).into_owned()).collect()
        };
        assert_eq!(seen("a%2Fb%2f%"), ["a/b/%"]);
        assert_eq!(seen("a+b%20c"), ["a+b c", "a b c"]);
        assert_eq!(seen("plain"), Vec::<String>::new());
    }
}
