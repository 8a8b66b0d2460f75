use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// A shorter value is hardly a secret, and would be found inside ordinary words.
pub(super) const SHORTEST: usize = 6;

/// A line of a secret of several lines that is shorter could be any text's.
const SHORTEST_LINE: usize = 16;

/// Adds each form in which `secret` is written: as it is, decoded where it was written encoded, and each line of it; all of these
/// as they are and escaped as JSON, Rust and one-line logs do. What is encoded otherwise is decoded before it is searched.
pub(super) fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    let mut plain = BTreeSet::from([secret.to_owned()]);
    plain.extend(percent_decode_str(secret).decode_utf8().ok().map(std::borrow::Cow::into_owned));
    plain.extend(basic_password(secret));
    if secret.contains('\n') {
        let lines = secret.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        plain.extend(lines.filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
    }
    for text in plain.into_iter().filter(|text| text.len() >= SHORTEST) {
        let json = json_escaped(&text);
        forms.insert(json_escaped(&json));
        forms.insert(json);
        forms.insert(text.escape_debug().to_string());
        forms.insert(text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"));
        forms.insert(text);
    }
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The password in `dXNlcjpwYXNzd29yZA==`, where the secret is what a Basic authorization holds.
fn basic_password(secret: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(secret.rsplit(' ').next()?).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(secret: &str) -> BTreeSet<String> {
        let mut forms = BTreeSet::new();
        add_forms(secret, &mut forms);
        forms
    }

    /// Whether a form stands in `text`.
    fn is_found(secret: &str, text: &str) -> bool {
        forms(secret).iter().any(|form| text.contains(form.as_str()))
    }

    #[test]
    fn a_secret_is_known_escaped_decoded_and_line_by_line() {
        let secret = "say \"hunter2\" /\\ to\tthem+";
        for text in [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap(),
            format!("{secret:?}"),
        ] {
            assert!(is_found(secret, &text), "{text}");
        }
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END KEY-----\n";
        for (text, known) in [
            ("MIIEvQIBADANBgkqhkiG", true),
            ("-----BEGIN KEY-----\\nMIIEvQIBADANBgkqhkiG\\nshort\\n-----END KEY-----\\n", true),
            ("-----BEGIN KEY-----", false),
            ("short", false),
        ] {
            assert_eq!(is_found(key, text), known, "{text}");
        }
        assert!(is_found("Basic YW5hOnN3b3JkZmlzaA==", "the password swordfish is wrong"));
        assert!(is_found("p%40ssw%C3%B6rd", "p@ssw\u{f6}rd"));
        assert!(forms("short").is_empty());
        assert_eq!(forms("sk-0123456789abcdef").len(), 1, "most secrets are known once");
    }
}
