use proc_macro2::Ident;
use syn::ext::IdentExt;

/// `google_calendar` → `GoogleCalendar`, where the function's own span stays on it. `None` where nothing is left.
pub(crate) fn type_name(function: &Ident) -> Option<Ident> {
    let mut name = String::new();
    for word in function.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    let legal = syn::parse_str::<Ident>(&name).is_ok();
    legal.then(|| Ident::new(&name, function.span()))
}

/// A kind close to `kind`, which is none: `JiraCloud` → `jira_cloud`. Whether it is one, the caller checks.
pub(crate) fn kind_like(kind: &str) -> String {
    let mut words = String::new();
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() && words.ends_with(|before: char| before.is_ascii_lowercase()) {
            words.push('_');
        }
        words.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    words.trim_matches(|letter: char| letter == '_' || letter.is_ascii_digit()).to_owned()
}

/// The word of `known` that `written` was most likely meant to be.
pub(crate) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.replace('-', "_").to_lowercase();
    let written = plain(written);
    known
        .into_iter()
        .map(|word| (distance(&written, &plain(word)), word))
        // A third of the word may be wrong, as rustc has it; a beginning is as good as the word.
        .filter(|(distance, word)| {
            *distance * 3 <= written.len().max(word.len()) || (written.len() >= 3 && word.contains(written.as_str()))
        })
        .min()
        .map(|(_, word)| word)
}

/// How many letters must be added, left out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let changed = last[j] + usize::from(letter != other);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == to[j - 1] && from[i - 1] == *other {
                let two_before: &Vec<usize> = &before;
                least = least.min(two_before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Ident, Span};

    use super::{distance, nearest, type_name};

    #[test]
    fn a_function_name_becomes_a_type_name() {
        let table = [
            ("jira", Some("Jira")),
            ("google_calendar", Some("GoogleCalendar")),
            ("_rss2", Some("Rss2")),
            ("r#type", Some("Type")),
            ("Jira", Some("Jira")),
            ("a__b_", Some("AB")),
            ("self_", None),
            ("__", None),
            ("_1", None),
        ];
        for (function, expected) in table {
            let function: Ident = syn::parse_str(function).unwrap_or_else(|_| Ident::new(function, Span::call_site()));
            assert_eq!(type_name(&function).map(|name| name.to_string()).as_deref(), expected, "{function}");
        }
    }

    #[test]
    fn a_slip_of_the_fingers_finds_its_word_and_nonsense_finds_none() {
        let known = ["kind", "publish", "tick_timeout_secs", "max_concurrent_ticks", "main", "name"];
        let table = [
            ("kin", Some("kind")),
            ("knid", Some("kind")),
            ("Publish", Some("publish")),
            ("publishes", Some("publish")),
            ("tick-timeout-secs", Some("tick_timeout_secs")),
            ("timeout", Some("tick_timeout_secs")),
            ("concurrent", Some("max_concurrent_ticks")),
            ("zebra", None),
            ("x", None),
        ];
        for (written, expected) in table {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
    }

    #[test]
    fn distances_are_those_of_the_book() {
        for (from, to, expected) in [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            assert_eq!((distance(from, to), distance(to, from)), (expected, expected), "{from} {to}");
        }
    }
}
