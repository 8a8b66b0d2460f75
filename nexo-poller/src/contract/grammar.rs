//! What a topic is made of, for everybody who reads or writes one: manifests, publishes, the bridge, NATS, configs.

use std::fmt;

/// The longest topic, in bytes.
const MAX_TOPIC: usize = 255;

/// Letters by their category, and not to be seen: they stand for a letter that is missing.
const FILLERS: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

/// Which rule `text` breaks as a topic pattern: segments separated by `.`, where `*` stands for exactly one segment and `>` for
/// one or more at the end.
pub(super) fn broken_rule(text: &str) -> Option<&'static str> {
    if text.len() > MAX_TOPIC {
        return Some("it is longer than 255 bytes");
    }
    let mut segments = text.split('.').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" => return Some("a segment is empty"),
            ">" if segments.peek().is_some() => return Some("`>` may only be the last segment"),
            "*" | ">" => {}
            text if text.contains(['*', '>']) => return Some("a wildcard must be a whole segment"),
            text if text.contains(char::is_whitespace) => return Some("it contains a space"),
            text if !text.chars().all(is_visible) => {
                return Some(
                    "it contains a character that is not a letter, a digit or visible ASCII other than \" and \\",
                );
            }
            _ => {}
        }
    }
    None
}

/// A list of what may stand in a topic: what can be seen, and cannot end the text that it is quoted in. Marks that turn the
/// direction of writing, joiners and the like are in nobody's list of letters.
fn is_visible(c: char) -> bool {
    match c {
        '"' | '\\' => false,
        '!'..='~' => true,
        other => other.is_alphanumeric() && !FILLERS.contains(&other),
    }
}

/// A text from outside as one may quote it in a log or an error: its beginning, with everything that cannot be seen written out.
pub(crate) struct Shown<'t>(pub(crate) &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 80;
        let mut letters = self.0.chars();
        for c in letters.by_ref().take(MOST) {
            // Quotes need no escape here: a backtick quotes.
            if matches!(c, '"' | '\'') { write!(f, "{c}")? } else { write!(f, "{}", c.escape_debug())? }
        }
        if letters.next().is_some() { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The characters that Unicode calls `Default_Ignorable_Code_Point`, and those that change the direction of writing.
    const INVISIBLE: [(u32, u32); 17] = [
        (0xAD, 0xAD),
        (0x34F, 0x34F),
        (0x61C, 0x61C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFFB),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ];

    #[test]
    fn nothing_that_cannot_be_seen_is_part_of_a_topic() {
        let invisible = INVISIBLE.iter().flat_map(|(first, last)| *first..=*last).filter_map(char::from_u32);
        let controls = ('\0'..=char::MAX).filter(|c| c.is_control() || c.is_whitespace());
        for c in invisible.chain(controls).chain(['"', '\\']) {
            assert!(broken_rule(&format!("plugin.outbound.{c}.a")).is_some(), "{c:?}");
        }
    }

    #[test]
    fn accounts_as_people_have_them_are_parts_of_topics() {
        for account in ["bot_1", "+491701234567", "ana@example.com", "#ops", "C0-42", "münchen", "运维", "a:b/c=d"] {
            assert_eq!(broken_rule(&format!("plugin.outbound.x.{account}")), None, "{account}");
        }
    }

    #[test]
    fn a_topic_has_255_bytes_at_most() {
        assert_eq!(broken_rule(&"a".repeat(255)), None);
        assert_eq!(broken_rule(&"a".repeat(256)), Some("it is longer than 255 bytes"));
    }

    #[test]
    fn what_is_shown_of_a_hostile_text_is_short_and_one_line_of_plain_characters() {
        assert_eq!(Shown("a\nb\0c\u{202E}d \"e\"").to_string(), "a\\nb\\0c\\u{202e}d \"e\"");
        let long = Shown(&"x".repeat(1 << 20)).to_string();
        assert!(long.len() < 120 && long.ends_with("(1048576 bytes)"), "{long}");
    }
}
