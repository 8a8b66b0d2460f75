use super::shape::Text;

/// The most bytes of a name.
const MOST: usize = 200;

/// What is wrong with something that is no name.
pub(crate) const RULE: &str =
    "a name has 1 to 200 characters, none of them a space, a control character or an invisible mark";

impl Text {
    /// Names of agents and channels: they stand in topics, logs and tables, where a line end or a mark that nobody sees would make
    /// one look like another.
    pub(crate) const NAME: Self = Self { most: MOST, made_of: is_of_a_name, pattern: Some("^\\S+$") };
}

/// Whether a name may have `c`.
pub(crate) fn is_of_a_name(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !is_invisible(c)
}

/// Characters that take no room, or turn the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_seen_and_told_from_another() {
        for name in ["ana", "team_a-7", "ana@example.org", "jörg", "安娜", "a.b:c/d"] {
            assert!(Text::NAME.takes(name), "{name:?}");
        }
        for text in [
            "a b",
            "a\0",
            "a\nb",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{200b}",
            "\u{202e}ana",
            "ana\u{feff}",
            "a\u{a0}b",
            "a\u{1d173}",
        ] {
            assert!(!Text::NAME.takes(text), "{text:?}");
        }
        assert!(!Text::NAME.takes(&"x".repeat(MOST + 1)));
    }
}
