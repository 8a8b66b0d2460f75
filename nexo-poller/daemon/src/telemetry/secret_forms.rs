use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::NO_PAD;
use base64::engine::{GeneralPurpose, general_purpose};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A shorter value is hardly a secret, and would be found inside ordinary words.
pub(super) const SHORTEST: usize = 6;

/// A line of a secret of several lines that is shorter could be any text's.
const SHORTEST_LINE: usize = 16;

/// What RFC 3986 leaves as it is.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a browser's `encodeURIComponent` leaves as it is.
const COMPONENT: AsciiSet = UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What a form leaves as it is; a space is a plus there.
const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');

/// Adds each form in which `secret` is written: as it is, decoded where it was written encoded, and each line of it; all of these
/// escaped as JSON, Rust and one-line logs do, percent-encoded, and inside Base64, as in `Authorization: Basic …`.
pub(super) fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    let mut plain = BTreeSet::from([secret.to_owned()]);
    plain.extend(percent_decode_str(secret).decode_utf8().ok().map(std::borrow::Cow::into_owned));
    plain.extend(basic_password(secret));
    if secret.contains('\n') {
        let lines = secret.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        plain.extend(lines.filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
    }
    for text in plain.iter().filter(|text| text.len() >= SHORTEST) {
        let json = json_escaped(text);
        forms.insert(json_escaped(&json));
        forms.insert(json);
        forms.insert(text.escape_debug().to_string());
        forms.insert(text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"));
        add_percent(text.bytes().map(|byte| format!("%{byte:02X}")).collect(), forms);
        for set in [&UNRESERVED, &COMPONENT, NON_ALPHANUMERIC] {
            add_percent(utf8_percent_encode(text, set).to_string(), forms);
        }
        add_percent(utf8_percent_encode(text, &FORM).to_string().replace(' ', "+"), forms);
        for alphabet in [&STANDARD, &URL_SAFE] {
            add_base64(text.as_bytes(), alphabet, forms);
        }
        forms.insert(text.clone());
    }
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Both spellings of `%2f`.
fn add_percent(encoded: String, forms: &mut BTreeSet<String>) {
    if encoded.contains('%') {
        let mut small = String::with_capacity(encoded.len());
        let mut digits = 0;
        for c in encoded.chars() {
            digits = if c == '%' { 3 } else { digits - i32::from(digits > 0) };
            small.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        }
        forms.insert(small);
    }
    forms.insert(encoded);
}

/// What Base64 of a text with `secret` in it always has, at each of the three places where it may begin: the characters that hold
/// bits of nothing else.
fn add_base64(secret: &[u8], alphabet: &Alphabet, forms: &mut BTreeSet<String>) {
    let engine = GeneralPurpose::new(alphabet, NO_PAD);
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let encoded = engine.encode(&bytes);
        // The character that a foreign byte shares with the secret's first, or with its last.
        let begin = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        if let Some(own) = encoded.get(begin..end).filter(|own| own.len() >= SHORTEST) {
            forms.insert(own.to_owned());
        }
    }
}

/// The password in `dXNlcjpwYXNzd29yZA==`, where the secret is what a Basic authorization holds.
fn basic_password(secret: &str) -> Option<String> {
    let engine = general_purpose::STANDARD;
    let decoded = String::from_utf8(engine.decode(secret.rsplit(' ').next()?).ok()?).ok()?;
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
    fn a_secret_is_known_in_base64_wherever_it_begins_and_whatever_follows() {
        for secret in ["hunter2", "swordfish", "p\u{e4}ss/w\u{f6}rd?+~", "0123456789abcdef"] {
            for user in ["", "a", "an", "ana", "ana:", "someone-else:"] {
                for after in ["", "x", "xy", "xyz", "\n"] {
                    let text = format!("{user}{secret}{after}");
                    for encoded in
                        [general_purpose::STANDARD.encode(&text), general_purpose::URL_SAFE_NO_PAD.encode(&text)]
                    {
                        assert!(is_found(secret, &encoded), "{text}: {encoded}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_secret_is_known_escaped_percent_encoded_and_line_by_line() {
        let secret = "say \"hunter2\" /\\ to\tthem+";
        for text in [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap(),
            format!("{secret:?}"),
            "say%20%22hunter2%22%20%2F%5C%20to%09them%2B".to_owned(),
            "say%20%22hunter2%22%20%2f%5c%20to%09them%2b".to_owned(),
            "say+%22hunter2%22+%2F%5C+to%09them%2B".to_owned(),
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
    }
}
