//! The rules of the manifest that a compiler can check. The library has the same ones, for manifests written by hand.

use std::borrow::Cow;

use crate::names::kind_like;

/// `^[a-z][a-z0-9_]+$`
pub(super) fn kind(kind: &str) -> Result<(), String> {
    if is_word(kind) && kind.len() >= 2 {
        return Ok(());
    }
    let rule = "a kind is two or more of the characters a-z, 0-9 and _, and begins with a letter";
    let repaired = kind_like(kind);
    if is_word(&repaired) && repaired.len() >= 2 {
        Err(format!("{rule}; did you mean `{repaired}`?"))
    } else {
        Err(rule.to_owned())
    }
}

/// `^[a-z][a-z0-9_]{0,31}$`
pub(super) fn plugin_id(id: &str) -> Result<(), String> {
    if is_word(id) && id.len() <= 32 {
        Ok(())
    } else {
        Err("a plugin id is 1 to 32 of the characters a-z, 0-9 and _, and begins with a letter".to_owned())
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The longest topic, in bytes.
const MAX_TOPIC: usize = 255;

/// What can be seen, and cannot end the text that it is quoted in.
fn is_topic_character(c: char) -> bool {
    match c {
        '"' | '\\' => false,
        '!'..='~' => true,
        // The last are fillers: letters that are not to be seen.
        other => other.is_alphanumeric() && !['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'].contains(&other),
    }
}

/// The rules that hold for every text of a topic.
fn topic_text(text: &str) -> Result<(), Cow<'static, str>> {
    if text.len() > MAX_TOPIC {
        return Err(format!("a topic has {MAX_TOPIC} bytes at most").into());
    }
    match text.chars().find(|c| !is_topic_character(*c)) {
        Some(c) => {
            Err(format!("a topic consists of letters, digits and visible ASCII without `\"` and `\\`; found {c:?}")
                .into())
        }
        None => Ok(()),
    }
}

/// Segments separated by `.`; `*` is one whole segment, `>` one or more at the end.
pub(super) fn topic_pattern(pattern: &str) -> Result<(), Cow<'static, str>> {
    let mut segments = pattern.split('.').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if pattern.is_empty() => return Err("a topic pattern must not be empty".into()),
            "" => {
                return Err(
                    "a topic pattern must not have an empty segment: no dot at the start or end, no two dots in a row"
                        .into(),
                );
            }
            ">" if segments.peek().is_some() => {
                return Err("`>` matches the rest of a topic, so it must be the last segment".into());
            }
            "*" | ">" => {}
            text if text.contains(['*', '>']) => {
                return Err("a wildcard matches a whole segment: `orders.*`, not `orders.a*`".into());
            }
            text if text.contains(char::is_whitespace) => return Err("a topic pattern must not contain spaces".into()),
            _ => {}
        }
    }
    topic_text(pattern)
}

/// A topic without wildcards, which `.tick` is appended to.
pub(super) fn topic_prefix(prefix: &str) -> Result<(), Cow<'static, str>> {
    match prefix {
        "" => Err("a topic prefix must not be empty".into()),
        text if text.contains(['*', '>']) => {
            Err("a topic prefix is a single topic: it must not contain wildcards".into())
        }
        text if text.contains(char::is_whitespace) => Err("a topic prefix must not contain spaces".into()),
        text if text.split('.').any(str::is_empty) => {
            Err("a topic prefix must not have an empty segment: no dot at the start or end, no two dots in a row"
                .into())
        }
        text => topic_text(text),
    }
}

/// Semver comparators separated by commas: `>=0.2.0`, `^1`, `0.2.*`, `>=1.2, <2`.
pub(super) fn version_requirement(text: &str) -> Result<(), String> {
    if matches!(text.trim(), "*" | "x" | "X") || text.split(',').all(|comparator| is_comparator(comparator.trim())) {
        Ok(())
    } else {
        Err("a version requirement is written as in Cargo.toml: `>=0.2.0`, `^1`, or `>=0.2, <0.4`".to_owned())
    }
}

fn is_comparator(text: &str) -> bool {
    let operators = [">=", "<=", ">", "<", "=", "~", "^", ""];
    let version = operators.iter().find_map(|operator| text.strip_prefix(operator)).unwrap_or(text).trim_start();
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (version, pre) = version.split_once('-').map_or((version, None), |(version, pre)| (version, Some(pre)));
    let numbers: Vec<&str> = version.split('.').collect();
    let is_number = |text: &str| text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
    let is_wildcard = |text: &str| matches!(text, "*" | "x" | "X");
    let is_tag = |text: &str, numeric_without_zero: bool| {
        text.split('.').all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !(numeric_without_zero
                    && part.len() > 1
                    && part.starts_with('0')
                    && part.chars().all(|c| c.is_ascii_digit()))
        })
    };
    let wild_from = numbers.iter().position(|text| is_wildcard(text)).unwrap_or(numbers.len());
    let tagged = pre.is_some() || build.is_some();
    (1..=3).contains(&numbers.len())
        && wild_from >= 1
        && numbers[..wild_from].iter().all(|text| is_number(text))
        && numbers[wild_from..].iter().all(|text| is_wildcard(text))
        && (!tagged || wild_from == 3)
        && pre.is_none_or(|pre| is_tag(pre, true))
        && build.is_none_or(|build| is_tag(build, false))
}

#[cfg(test)]
mod tests {
    use nexo_poller::contract::{Pattern, check_kind};

    use super::*;

    /// Every text of up to `length` of `letters`.
    fn texts(letters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..length {
            let longer: Vec<String> = all[from..]
                .iter()
                .flat_map(|text| letters.chars().map(move |letter| format!("{text}{letter}")))
                .collect();
            from = all.len();
            all.extend(longer);
        }
        all
    }

    #[test]
    fn the_compiler_and_the_library_agree_on_every_kind_and_topic() {
        for text in texts("aZ0_-", 5) {
            assert_eq!(kind(&text).is_ok(), check_kind(&text).is_ok(), "kind `{text}`");
        }
        let long = ["a".repeat(255), "a".repeat(256)];
        let odd = texts("a.\0\u{202e}\u{3164}ü\"\\$", 3);
        for text in texts("ab.*> ", 5).into_iter().chain(long).chain(odd) {
            assert_eq!(topic_pattern(&text).is_ok(), text.parse::<Pattern>().is_ok(), "pattern `{text}`");
            let topic = text.parse::<Pattern>().is_ok_and(|pattern| !pattern.is_wildcard());
            assert_eq!(topic_prefix(&text).is_ok(), topic, "prefix `{text}`");
        }
    }

    #[test]
    fn the_compiler_and_the_library_agree_on_every_version_requirement() {
        let texts = texts("01.*>=^,x- ", 5);
        let differ: Vec<&String> = texts
            .iter()
            .filter(|text| version_requirement(text).is_ok() != semver::VersionReq::parse(text).is_ok())
            .collect();
        assert!(differ.is_empty(), "{} of {}: {:?}", differ.len(), texts.len(), &differ[..differ.len().min(50)]);
    }
}
