use std::fmt;

use super::grammar::{Shown, broken_rule};

/// A topic pattern: segments separated by `.`, where `*` stands for exactly one segment and `>` for one or more at the
/// end. It has 255 bytes at most, of letters, digits and what is visible of ASCII, without `"` and `\`.
///
/// ```
/// use nexo_poller::contract::Pattern;
///
/// let pattern: Pattern = "plugin.outbound.*.>".parse()?;
/// assert!(pattern.matches("plugin.outbound.telegram.bot_1"));
/// assert!(!pattern.matches("plugin.outbound.telegram"));
/// # Ok::<(), nexo_poller::contract::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Why a text is not a topic pattern, or not a topic. It quotes the beginning of the text, with everything written out that cannot
/// be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: {rule}")]
pub struct PatternError {
    text: String,
    what: &'static str,
    rule: &'static str,
}

/// Whether messages can be published on `topic`: a pattern without wildcards.
///
/// # Errors
/// [`PatternError`] with the rule that it breaks.
pub fn check_topic(topic: &str) -> Result<(), PatternError> {
    let rule = broken_rule(topic).or_else(|| {
        let wild = topic.split('.').any(|segment| matches!(segment, "*" | ">"));
        wild.then_some("it has a wildcard, and messages are published on plain topics")
    });
    match rule {
        Some(rule) => Err(PatternError { text: Shown(topic).to_string(), what: "a topic", rule }),
        None => Ok(()),
    }
}

impl Pattern {
    /// Whether `topic` matches.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        matches(&self.0, topic)
    }

    /// Whether every topic that matches `other` matches this pattern too.
    ///
    /// ```
    /// use nexo_poller::contract::Pattern;
    ///
    /// let pattern: Pattern = "plugin.outbound.>".parse()?;
    /// assert!(pattern.covers(&"plugin.outbound.*.bot".parse()?));
    /// assert!(!pattern.covers(&"plugin.>".parse()?));
    /// # Ok::<(), nexo_poller::contract::PatternError>(())
    /// ```
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let mut wide = self.0.split('.');
        let mut narrow = other.0.split('.');
        loop {
            match (wide.next(), narrow.next()) {
                (Some(">"), Some(_)) | (None, None) => return true,
                (Some("*"), Some(segment)) if segment != ">" => {}
                (Some(wide), Some(narrow)) if wide == narrow => {}
                _ => return false,
            }
        }
    }

    /// The pattern of the topics that match both; `None` where no topic does.
    ///
    /// ```
    /// use nexo_poller::contract::Pattern;
    ///
    /// let pattern: Pattern = "plugin.outbound.>".parse()?;
    /// assert_eq!(pattern.intersection(&"*.*.slack.>".parse()?), Some("plugin.outbound.slack.>".parse()?));
    /// assert_eq!(pattern.intersection(&"daemon.rpc.*".parse()?), None);
    /// # Ok::<(), nexo_poller::contract::PatternError>(())
    /// ```
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (mut one, mut two) = (self.0.split('.'), other.0.split('.'));
        let mut both = Vec::new();
        loop {
            match (one.next(), two.next()) {
                (None, None) => break,
                (Some(">"), Some(segment)) => {
                    both.extend(std::iter::once(segment).chain(two));
                    break;
                }
                (Some(segment), Some(">")) => {
                    both.extend(std::iter::once(segment).chain(one));
                    break;
                }
                (Some("*"), Some(segment)) | (Some(segment), Some("*")) => both.push(segment),
                (Some(one), Some(two)) if one == two => both.push(one),
                _ => return None,
            }
        }
        Some(Self(both.join(".")))
    }

    /// Whether the pattern holds a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.split('.').any(|segment| segment == "*" || segment == ">")
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(pattern: &str) -> Result<Self, PatternError> {
        if let Some(rule) = broken_rule(pattern) {
            return Err(PatternError { text: Shown(pattern).to_string(), what: "a topic pattern", rule });
        }
        Ok(Self(pattern.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `topic` matches `pattern`; a malformed pattern matches literally.
#[must_use]
pub fn matches(pattern: &str, topic: &str) -> bool {
    let mut wanted = pattern.split('.');
    let mut found = topic.split('.');
    loop {
        match (wanted.next(), found.next()) {
            (Some(">"), Some(first)) => return !first.is_empty() && found.all(|segment| !segment.is_empty()),
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(want), Some(have)) if want == have => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_star_is_one_segment_and_a_chevron_is_one_or_more() {
        let table = [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*.b.>", "a.b.c.d", true),
            ("a.*", "a.", false),
            ("a.>", "a..b", false),
        ];
        for (pattern, topic, expected) in table {
            assert_eq!(matches(pattern, topic), expected, "{pattern} against {topic}");
        }
    }

    /// The definition, by recursion, to hold the loop against.
    fn oracle(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern, topic) {
            ([], []) => true,
            ([">"], rest) => !rest.is_empty(),
            (["*", more @ ..], [_, rest @ ..]) => oracle(more, rest),
            ([want, more @ ..], [have, rest @ ..]) => want == have && oracle(more, rest),
            _ => false,
        }
    }

    /// Every topic of up to four segments, with a segment that no pattern of these tests names.
    fn topics() -> Vec<String> {
        let mut all = vec![];
        let mut longest = vec![String::new()];
        for _ in 0..4 {
            longest = longest.iter().flat_map(|topic| ["a", "b", "c"].map(|next| format!("{topic}.{next}"))).collect();
            all.extend(longest.iter().map(|topic| topic[1..].to_owned()));
        }
        all
    }

    proptest! {
        #[test]
        fn a_pattern_covers_another_exactly_where_it_matches_all_that_the_other_matches(
            wide in "([ab*]\\.){0,2}[ab*>]",
            narrow in "([ab*]\\.){0,2}[ab*>]",
        ) {
            let (wide, narrow): (Pattern, Pattern) = (wide.parse().unwrap(), narrow.parse().unwrap());
            let all = topics().iter().filter(|topic| narrow.matches(topic)).all(|topic| wide.matches(topic));
            prop_assert_eq!(wide.covers(&narrow), all, "{} against {}", wide, narrow);
        }

        #[test]
        fn an_intersection_matches_exactly_what_both_patterns_match(
            one in "([ab*]\\.){0,2}[ab*>]",
            two in "([ab*]\\.){0,2}[ab*>]",
        ) {
            let (one, two): (Pattern, Pattern) = (one.parse().unwrap(), two.parse().unwrap());
            let both = one.intersection(&two);
            for topic in topics() {
                let wanted = one.matches(&topic) && two.matches(&topic);
                prop_assert_eq!(both.as_ref().is_some_and(|both| both.matches(&topic)), wanted, "{} {}: {}", one, two, topic);
            }
            if let Some(both) = both {
                prop_assert!(both.as_str().parse::<Pattern>().is_ok() && one.covers(&both) && two.covers(&both));
            }
        }

        #[test]
        fn matching_agrees_with_its_definition(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 0..5),
            tail: bool,
            topic in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..6),
        ) {
            let mut pattern = pattern;
            if tail || pattern.is_empty() {
                pattern.push(">");
            }
            prop_assert_eq!(matches(&pattern.join("."), &topic.join(".")), oracle(&pattern, &topic));
        }

        #[test]
        fn a_topic_without_wildcards_is_a_pattern_that_matches_itself(topic in "[a-z_]{1,5}(\\.[a-z_]{1,5}){0,4}") {
            let pattern: Pattern = topic.parse().unwrap();
            prop_assert!(pattern.matches(&topic) && !pattern.is_wildcard());
        }
    }
}
