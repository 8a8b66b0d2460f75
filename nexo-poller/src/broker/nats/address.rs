use std::fmt;

use crate::broker::BrokerError;

/// One or several servers out of a URL, with the names and passwords taken out of them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    /// `nats://host:port`, one a server.
    pub(super) servers: Vec<String>,
    pub(super) tls: bool,
    pub(super) login: Option<Login>,
}

/// Who connects.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A name and a password.
    User(String, String),
    /// A token.
    Token(String),
}

impl Addresses {
    /// Reads `nats://[user:password@|token@]host[:port]`, several of them separated by commas, `tls://` for TLS.
    pub(super) fn parse(url: &str) -> Result<Self, BrokerError> {
        let mut read = Self { servers: Vec::new(), tls: false, login: None };
        for part in url.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (scheme, rest) = part.split_once("://").unwrap_or(("nats", part));
            match scheme {
                "nats" => {}
                "tls" => read.tls = true,
                // What stands there may be a password, so it is not repeated.
                _ => return Err(refused("a server's URL begins with `nats://` or `tls://`")),
            }
            let (login, host) = rest.rsplit_once('@').map_or((None, rest), |(login, host)| (Some(login), host));
            let host = host.trim_end_matches('/');
            if host.is_empty() || host.contains(['/', '?', '#']) || host.chars().any(char::is_whitespace) {
                return Err(refused("a server's URL names a host and a port, as in `nats://127.0.0.1:4222`"));
            }
            if let Some(login) = login.filter(|login| !login.is_empty()) {
                read.login = Some(match login.split_once(':') {
                    Some((user, password)) => Login::User(unescaped(user), unescaped(password)),
                    None => Login::Token(unescaped(login)),
                });
            }
            read.servers.push(format!("{scheme}://{host}"));
        }
        if read.servers.is_empty() { Err(refused("it names no server")) } else { Ok(read) }
    }
}

/// Names no password: what is shown in errors and logs.
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.servers.join(","))
    }
}

fn refused(why: &str) -> BrokerError {
    BrokerError::Setup { reason: format!("the URL of the NATS server cannot be used: {why}") }
}

/// `%40` as `@`; what is no escape stays as it is.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_its_password_is_never_shown() {
        let read = Addresses::parse("tls://ana:p%40ss:w@a.example:4222/, nats://b.example").unwrap();
        assert_eq!(read.servers, ["tls://a.example:4222", "nats://b.example"]);
        assert!(read.tls);
        assert!(read.login == Some(Login::User("ana".to_owned(), "p@ss:w".to_owned())));
        assert_eq!(read.to_string(), "tls://a.example:4222,nats://b.example");
        assert!(Addresses::parse("nats://s3cret@h").unwrap().login == Some(Login::Token("s3cret".to_owned())));
        assert!(Addresses::parse("127.0.0.1:4222").unwrap().login.is_none());
        for wrong in ["", " , ", "http://ana:hunter2@h", "nats://hunter2@", "nats://ana:hunter2@h/x", "nats://h?x"] {
            let error = Addresses::parse(wrong).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
