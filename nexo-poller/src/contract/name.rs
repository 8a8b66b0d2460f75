/// Why a name cannot be a poller's kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{kind}` is not a poller kind: two or more of a-z, 0-9 and _, the first a letter (^[a-z][a-z0-9_]+$)")]
#[non_exhaustive]
pub struct KindError {
    /// The name as written.
    pub kind: String,
}

/// Checks that `kind` matches `^[a-z][a-z0-9_]+$`.
///
/// # Errors
/// [`KindError`], which quotes the name and the rule.
pub fn check_kind(kind: &str) -> Result<(), KindError> {
    let mut bytes = kind.bytes();
    let first_is_letter = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let rest_is_legal = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if first_is_letter && rest_is_legal && kind.len() >= 2 { Ok(()) } else { Err(KindError { kind: kind.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::check_kind;

    #[test]
    fn a_kind_starts_with_a_letter_and_has_two_or_more_word_characters() {
        for good in ["jira", "rss2", "google_calendar", "ab"] {
            check_kind(good).expect(good);
        }
        for bad in ["", "a", "Jira", "2rss", "_x", "google-calendar", "jirá", "a b", "jira\n"] {
            check_kind(bad).expect_err(bad);
        }
    }
}
