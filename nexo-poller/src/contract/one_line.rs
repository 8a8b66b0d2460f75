use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character escaped that ends a line, moves a terminal's cursor or turns what is read around.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(misleads) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if misleads(c) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
    }
    Cow::Owned(line)
}

/// At most `most` bytes of `text`, cut between characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

/// Control characters, the separators of lines and paragraphs, and marks and overrides of the direction of writing.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_forges_a_line_is_shown_as_what_it_is() {
        for (text, line) in [
            ("plain é 漢 \\n", "plain é 漢 \\n"),
            ("a\nERROR b\r\n", "a\\nERROR b\\r\\n"),
            ("\u{1b}[2J\u{9b}1A\0\t", "\\u{1b}[2J\\u{9b}1A\\u{0}\\t"),
            ("a\u{2028}b\u{202e}c\u{2069}\u{feff}", "a\\u{2028}b\\u{202e}c\\u{2069}\\u{feff}"),
        ] {
            assert_eq!(one_line(text), line);
        }
        assert!(matches!(one_line("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("aéb", 2), cut("aéb", 3), cut("aéb", 9), cut("", 0)), ("a", "aé", "aéb", ""));
    }
}
