/// Words in the name of a field, a header or a variable that make its value a secret.
const WORDS: [&str; 12] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
];

/// Words that do so at the end of a name, and stand in names of harmless things elsewhere: `X-Auth` and `?sig=`, but not
/// `auth_mode` and `signed_by`.
const ENDINGS: [&str; 9] = ["auth", "sig", "signature", "pass", "pwd", "pw", "jwt", "sas", "bearer"];

/// Whether `name` is that of a secret: of a field, a header, a parameter or a variable, in any spelling (`X-Auth`, `apiKey`,
/// `client_secret`). The one list that says so.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    let name = spelled_out(name);
    let last = name.rsplit('_').next().unwrap_or_default();
    ENDINGS.contains(&last) || WORDS.iter().any(|word| name.contains(word))
}

/// In small letters, its words separated by `_`.
fn spelled_out(name: &str) -> String {
    let (mut words, mut small_before) = (String::with_capacity(name.len() + 4), false);
    for c in name.chars() {
        if c.is_ascii_uppercase() && small_before {
            words.push('_');
        }
        small_before = c.is_ascii_lowercase();
        words.push(if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::names_a_secret;

    #[test]
    fn a_secret_is_known_by_its_name_in_any_spelling_and_harmless_names_are_left_alone() {
        for secret in [
            "X-Auth",
            "auth",
            "proxyAuth",
            "sig",
            "X-Amz-Signature",
            "apiKey",
            "API-KEY",
            "client_secret",
            "clientSecret",
            "DB_PASS",
            "dbPwd",
            "sessionToken",
            "Set-Cookie",
            "jwt",
            "aws_secret_access_key",
            "privateKey",
        ] {
            assert!(names_a_secret(secret), "{secret}");
        }
        for harmless in [
            "author",
            "auth_mode",
            "XAUTHORITY",
            "SSH_AUTH_SOCK",
            "signed_by",
            "design",
            "compass",
            "passed",
            "XDG_SESSION_TYPE",
            "project",
            "issue_key",
            "page",
            "",
            "_",
        ] {
            assert!(!names_a_secret(harmless), "{harmless}");
        }
    }
}
