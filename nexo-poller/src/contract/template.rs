/// Replaces each `{name}` of `template` for which `field` has a value, in one pass: a value that itself looks like a
/// placeholder stays as it is. A name that `field` does not know stays too, braces included.
///
/// ```
/// use nexo_poller::contract::fill_template;
///
/// let text = fill_template("{title}\n{link} {unknown}", |name| match name {
///     "title" => Some("about {link}"),
///     "link" => Some("https://example.org"),
///     _ => None,
/// });
/// assert_eq!(text, "about {link}\nhttps://example.org {unknown}");
/// ```
pub fn fill_template<S: AsRef<str>>(template: &str, field: impl Fn(&str) -> Option<S>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        rest = &rest[open..];
        // The nearest brace that closes; one that opens again before it begins a placeholder of its own.
        let end = rest[1..].find(['{', '}']).map(|at| at + 1).filter(|&at| rest[at..].starts_with('}'));
        let value = end.and_then(|end| field(&rest[1..end]).map(|value| (value, end)));
        match value {
            Some((value, end)) => {
                text.push_str(value.as_ref());
                rest = &rest[end + 1..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fill_template;

    fn filled(template: &str) -> String {
        fill_template(template, |name| match name {
            "a" => Some("1"),
            "b" => Some("{a}"),
            "" => Some("empty"),
            _ => None,
        })
    }

    #[test]
    fn known_names_are_replaced_once_and_all_else_stays() {
        for (template, expected) in [
            ("", ""),
            ("{a}{b}{a}", "1{a}1"),
            ("{{a}}", "{1}"),
            ("{c} {a", "{c} {a"),
            ("} {", "} {"),
            ("{}é{a}", "emptyé1"),
        ] {
            assert_eq!(filled(template), expected, "of {template:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_without_a_known_name_is_itself(template in "[xyzé{} ]{0,20}") {
            prop_assert_eq!(fill_template(&template, |_| None::<&str>), template);
        }
    }
}
