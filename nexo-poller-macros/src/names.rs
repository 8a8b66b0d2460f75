use proc_macro2::Ident;

/// Whether `kind` matches `^[a-z][a-z0-9_]+$`; the rule that the manifest is held to as well.
pub(crate) fn is_kind(kind: &str) -> bool {
    kind.len() >= 2 && is_plugin_word(kind)
}

/// The longest plugin id of the protocol.
pub(crate) const MAX_PLUGIN_ID: usize = 32;

/// Whether `id` matches `^[a-z][a-z0-9_]{0,31}$`.
pub(crate) fn is_plugin_id(id: &str) -> bool {
    (1..=MAX_PLUGIN_ID).contains(&id.len()) && is_plugin_word(id)
}

fn is_plugin_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A kind like `kind`, for "did you mean".
pub(crate) fn kind_like(kind: &str) -> Option<String> {
    let mut words = String::new();
    for c in kind.chars() {
        if c.is_ascii_uppercase() && words.ends_with(|before: char| before.is_ascii_lowercase()) {
            words.push('_');
        }
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    let words = words.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
    is_kind(words).then(|| words.to_owned())
}

/// What is wrong with a topic pattern, if anything is.
pub(crate) fn pattern_fault(pattern: &str) -> Option<&'static str> {
    let mut segments = pattern.split('.').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" => return Some("a segment is empty"),
            ">" if segments.peek().is_some() => return Some("`>` may only be the last segment"),
            "*" | ">" => {}
            text if text.contains(['*', '>']) => return Some("a wildcard must be a whole segment"),
            text if text.contains(char::is_whitespace) => return Some("it contains a space"),
            _ => {}
        }
    }
    None
}

/// `google_calendar` → `GoogleCalendar`.
pub(crate) fn struct_name(function: &Ident) -> Ident {
    let text = function.to_string();
    let mut name = String::new();
    for word in text.trim_start_matches("r#").split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    // `_` and `_1` leave nothing that starts a name.
    if !name.starts_with(|c: char| c.is_alphabetic()) {
        name.insert_str(0, "Poller");
    }
    // `self_` becomes `Self`, the one name in this case that is taken.
    if name == "Self" {
        name.push_str("Poller");
    }
    Ident::new(&name, function.span())
}

/// The one of `known` that `word` was probably meant to be: at most two letters off.
pub(crate) fn similar<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let close = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    close.filter(|(off, candidate)| *off <= 2 && *off < candidate.len()).map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (insertions, deletions, substitutions, neighbours exchanged).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    #[test]
    fn a_struct_is_named_after_its_function() {
        for (function, name) in [
            ("jira", "Jira"),
            ("google_calendar", "GoogleCalendar"),
            ("_private", "Private"),
            ("rss2", "Rss2"),
            ("_2", "Poller2"),
            ("self_", "SelfPoller"),
        ] {
            assert_eq!(struct_name(&Ident::new(function, Span::call_site())).to_string(), name);
        }
        assert_eq!(struct_name(&Ident::new_raw("match", Span::call_site())).to_string(), "Match");
    }

    #[test]
    fn a_typing_mistake_finds_its_key_and_another_word_finds_none() {
        let known = ["kind", "publish", "subscribe"];
        assert_eq!(similar("knid", &known), Some("kind"));
        assert_eq!(similar("publsih", &known), Some("publish"));
        assert_eq!(similar("zebra", &known), None);
    }

    #[test]
    fn a_bad_kind_suggests_the_kind_it_could_be() {
        assert_eq!(kind_like("GoogleCalendar").as_deref(), Some("google_calendar"));
        assert_eq!(kind_like("google-calendar").as_deref(), Some("google_calendar"));
        assert_eq!(kind_like("2rss").as_deref(), Some("rss"));
        assert_eq!(kind_like("x"), None);
        assert_eq!(kind_like(""), None);
    }
}
